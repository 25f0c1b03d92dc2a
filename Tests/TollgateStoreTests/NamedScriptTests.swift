import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore

@testable import TollgateStore

/// The names that scripts and Swift have in common.
@Suite struct NamedScriptTests {
    private enum Argument: String, ScriptArgument {
        case first, keptSeconds, ownID
    }

    private static let script = NamedScript<Argument>(
        resource: Array("return { ARGV[FIRST], ARGV[KEPT_SECONDS], ARGV[OWN_ID] or 'none', #ARGV, REST }".utf8))

    private static func value(of argument: Argument) -> String {
        switch argument {
        case .ownID: "c"
        case .first: "a"
        case .keptSeconds: "b"
        }
    }

    @Test func namesOfBothSidesMeetInTheSamePlace() async throws {
        try await withRedis { server in
            try await withRedisClient(server.configuration) { client in
                let all = try await client.run(Self.script.call(on: [.workers], rest: ["x"], Self.value))
                #expect(all.array?.prefix(3).map(\.string) == ["a", "b", "c"])
                #expect(all.array?.suffix(2).map(\.integer) == [4, 4])
                let some = try await client.run(
                    Self.script.call(on: [.workers], upTo: .keptSeconds) { .text(Self.value(of: $0)) })
                #expect(some.array?.prefix(3).map(\.string) == ["a", "b", "none"])
            }
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
        for code: Int64 in [0, -1, 12, .max, .min] { #expect(AdmissionVerdict(code: code) == nil) }
        #expect(lines.suffix(4).first == "local FALLBACK_PLAN = 'free'")
    }
}
