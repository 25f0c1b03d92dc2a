import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore

@testable import TollgateStore

/// The names that scripts and Swift have in common.
@Suite struct NamedScriptTests {
    private enum Signature: ScriptSignature {
        enum Key: String, ScriptName { case one, anotherOne }
        enum Argument: String, ScriptName { case first, keptSeconds, ownID }
        enum Outcome: String, ScriptName { case nothing, some, tooMany }
    }

    private static let script = NamedScript<Signature>(
        "test.lua",
        resource: Array(
            """
            return { TOO_MANY, KEYS[ONE_KEY], KEYS[ANOTHER_ONE_KEY], ARGV[FIRST], ARGV[KEPT_SECONDS],
              ARGV[OWN_ID] or 'none', #ARGV, REST }
            """.utf8))

    private static func key(of key: Signature.Key) -> RedisKey {
        switch key {
        case .anotherOne: .waitingWebhooks
        case .one: .workers
        }
    }

    private static func value(of argument: Signature.Argument) -> String {
        switch argument {
        case .ownID: "c"
        case .first: "a"
        case .keptSeconds: "b"
        }
    }

    @Test func namesOfBothSidesMeetInTheSamePlace() async throws {
        try await withRedis { server in
            try await withRedisClient(server.configuration) { client in
                let all = try await client.run(Self.script.call(rest: ["x"], on: Self.key, with: Self.value))
                #expect(Self.script.outcome(of: all) == .tooMany)
                #expect(
                    all.array?[1..<6].map(\.string)
                        == [RedisKey.workers.description, RedisKey.waitingWebhooks.description, "a", "b", "c"])
                #expect(all.array?.suffix(2).map(\.integer) == [4, 4])
                let some = try await client.run(
                    Self.script.call(upTo: .keptSeconds, on: Self.key) { .text(Self.value(of: $0)) })
                #expect(some.array?[3..<6].map(\.string) == ["a", "b", "none"])
            }
        }
    }

    @Test func outcomesAreTheIntegersOfTheirOrder() {
        #expect(Self.script.outcome(of: .integer(0)) == .nothing)
        #expect(Self.script.outcome(of: .array([.integer(1), .null])) == .some)
        for reply in [RedisReply.integer(3), .integer(-1), .integer(.max), .null, .array([]), .array([.null])] {
            #expect(Self.script.outcome(of: reply) == nil, "\(reply)")
        }
    }

    /// Of `admit.lua`: where each form has what.
    @Test func everyFormHasItsPlaces() throws {
        let plans = try PlanTable([Plan(name: "free", quota: 5, ratePerMinute: 7)])
        let source = AdmissionPrelude.source(plans, comparesClocks: true)
        let lines = source.split(separator: "\n").map(String.init)
        var places: [String: Int] = [:]
        for line in lines.prefix(6) {
            let sides = line.dropFirst("local ".count).split(separator: " = ")
            let (names, values) = (sides[0].split(separator: ", "), sides[1].split(separator: ", "))
            #expect(names.count == values.count)
            for (name, value) in zip(names, values) {
                #expect(places.updateValue(try #require(Int(value)), forKey: String(name)) == nil, "\(name) twice")
            }
        }
        for form in AdmissionForm.allCases {
            #expect(places["\(form.rawValue.uppercased())_FORM"] == form.argumentCount)
            for (offset, argument) in form.arguments.enumerated() {
                let name = Lua.constant(argument.rawValue)
                let place = places["\(form.rawValue.uppercased())_\(name)"] ?? places[name]
                #expect(place == SharedAdmissionArgument.allCases.count + offset + 1, "\(form) \(name)")
            }
            #expect(form.keys == Array(AdmissionKey.allCases.prefix(form.keys.count)))
        }
        for (offset, (name, _)) in AdmissionVerdict.named.enumerated() { #expect(places[name] == offset + 1) }
        for refusal in KeyRefusal.allCases {
            let code = try #require(places[refusal.rawValue.uppercased().replacing("-", with: "_")])
            guard case .decided(.keyRefused(refusal)) = AdmissionVerdict(code: Int64(code)) else {
                Issue.record("\(refusal) has the number of another outcome")
                continue
            }
        }
        let next = Int64(AdmissionVerdict.named.count) + 1
        for code in [0, -1, next, .max, .min] { #expect(AdmissionVerdict(code: code) == nil) }
        #expect(lines.suffix(4).first == "local FALLBACK_PLAN = 'free'")
    }
}
