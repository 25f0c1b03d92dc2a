import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

/// Keys that may be used from some addresses only, as `admit.lua` goes by them.
@Suite struct KeyAddressTests {
    private static let refused = AdmissionDecision.Outcome.keyRefused(.addressNotAllowed)

    @Test func aRefusedAddressIsCountedNowhere() async throws {
        try await KeyGateway.run { gateway in
            let issued = try await gateway.makeKey(allowedIPs: ["192.0.2.7"])
            #expect(try await gateway.call(issued.key, from: "192.0.2.7").outcome == .admitted)
            let record = try await gateway.hash("key:{user_abc}:{\(issued.key.id)}")
            let usage = try await gateway.hash("usage:{user_abc}")
            let minute = "ratelimit:{user_abc}:\(RateWindow(containing: KeyGateway.time).minute)"
            try await gateway.client.send("CONFIG RESETSTAT")
            for address in ["192.0.2.8", "::1", nil] {
                let decision = try await gateway.call(issued.key, after: 90, from: address, onOtherWorker: true)
                #expect(decision.outcome == Self.refused && decision.usage.count == 0 && decision.rate.count == 0)
            }
            #expect(try await gateway.client.calls(of: "hmget") == 3, "nothing else is read")
            for write in ["hset", "incr"] { #expect(try await gateway.client.calls(of: write) == 0) }
            #expect(try await gateway.client.send("GET \(minute)").string == "1")
            #expect(try await gateway.hash("key:{user_abc}:{\(issued.key.id)}") == record)
            #expect(try await gateway.hash("usage:{user_abc}") == usage)
        }
    }

    /// An admission with the field takes the commands of one without it.
    @Test func theFieldCostsNoCommand() async throws {
        try await KeyGateway.run { gateway in
            let (plain, bound) = (
                try await gateway.makeKey(), try await gateway.makeKey(allowedIPs: ["::/0", "0.0.0.0/0"])
            )
            var counts: [[Int]] = []
            for issued in [plain, bound] {
                _ = try await gateway.call(issued.key, from: "192.0.2.7")
                try await gateway.client.send("CONFIG RESETSTAT")
                #expect(try await gateway.call(issued.key, from: "192.0.2.7").outcome == .admitted)
                var calls: [Int] = []
                for command in ["evalsha", "eval", "hmget", "hget", "hgetall", "get", "hset", "incr"] {
                    calls.append(try await gateway.client.calls(of: command))
                }
                counts.append(calls)
            }
            #expect(counts[0] == counts[1] && counts[0][0] == 1)
        }
    }

    @Test func aChangeIsEffectiveAtOnceOnEveryWorker() async throws {
        try await KeyGateway.run { gateway in
            let issued = try await gateway.makeKey()
            let name = "key:{user_abc}:{\(issued.key.id)}"
            func outcome(onOtherWorker: Bool) async throws -> AdmissionDecision.Outcome {
                try await gateway.call(issued.key, from: "192.0.2.7", onOtherWorker: onOtherWorker).outcome
            }
            for isOther in [false, true] { #expect(try await outcome(onOtherWorker: isOther) == .admitted) }
            try await gateway.client.send("HSET \(name) allowedIPs c6336400-c63364ff")
            for isOther in [false, true] { #expect(try await outcome(onOtherWorker: isOther) == Self.refused) }
            try await gateway.client.send("HSET \(name) allowedIPs c0000200-c00002ff")
            for isOther in [false, true] { #expect(try await outcome(onOtherWorker: isOther) == .admitted) }
        }
    }

    @Test func aRotationKeepsTheAddresses() async throws {
        try await KeyGateway.run { gateway in
            let issued = try await gateway.makeKey(allowedIPs: ["192.0.2.7"])
            guard
                case .rotated(let next) = try await gateway.keys.rotate(
                    issued.key.id, of: gateway.user, overlapSeconds: 60, at: KeyGateway.time)
            else { throw KeyGateway.Refused() }
            #expect(
                next.record.terms.allowedIPs == issued.record.terms.allowedIPs && next.record.terms.allowedIPs != nil)
            for key in [issued.key, next.key] {
                #expect(try await gateway.call(key, from: "192.0.2.8").outcome == Self.refused)
                #expect(try await gateway.call(key, from: "192.0.2.7").outcome == .admitted)
            }
        }
    }

    /// A key without the field asks nobody where it comes from.
    @Test func aKeyWithoutTheFieldPassesFromEverywhere() async throws {
        try await KeyGateway.run { gateway in
            let issued = try await gateway.makeKey()
            for address in ["192.0.2.7", "2001:db8::1", nil] {
                #expect(try await gateway.call(issued.key, from: address).outcome == .admitted)
            }
        }
    }

    /// What stands in Redis in another form than ours admits nobody, and is shown as a list of nothing.
    @Test(arguments: [
        "", " ", "?", "*", "192.0.2.7", "0.0.0.0/0", "c0000207", "c0000207-", "-c0000207", "00000000 ffffffff",
        "00000000-FFFFFFFF", "00000000-fffffffff", "0-f", "00000000-ffffffff,00000000-ffffffff", "00000000-ffffffff ",
        " 00000000-ffffffff", "00000000-ffffffff  00000000-ffffffff", "00000000-ffffffff\t", "00000000-ffffffff ?",
        "? 00000000-ffffffff", "00000000-ffffffff-00000000-ffffffff", "00000000-ffffffff 0-f",
        "00000000-ffffffff 00000000-" + String(repeating: "f", count: 32),
        String(repeating: "0", count: 32) + "-" + String(repeating: "f", count: 32),
        "0000000000000000-ffffffffffffffff", "ffffffff-00000000", "00000000-ffffffff ffffffff-00000000",
        Array(repeating: "00000000-ffffffff", count: 59).joined(separator: " "),
    ])
    func unreadableNetworksRefuse(text: String) async throws {
        try await KeyGateway.run { gateway in
            let issued = try await gateway.makeKey(allowedIPs: ["192.0.2.7"])
            let name = "key:{user_abc}:{\(issued.key.id)}"
            _ = try await gateway.client.execute(RedisCommand("HSET", name, "allowedIPs", text))
            #expect(try await gateway.call(issued.key, from: "192.0.2.7").outcome == Self.refused)
            let listed = try #require(try await gateway.keys.keys(of: gateway.user).first?.terms.allowedIPs)
            #expect(!listed.contains("192.0.2.7"))
        }
    }

    /// What an operator writes need be no network: the key works from every address of a range, and its list shows them.
    @Test func anyRangeMayStandThere() async throws {
        try await KeyGateway.run { gateway in
            let issued = try await gateway.makeKey(allowedIPs: ["192.0.2.7"])
            let name = "key:{user_abc}:{\(issued.key.id)}"
            _ = try await gateway.client.execute(RedisCommand("HSET", name, "allowedIPs", "01020304-01020309"))
            let listed = try #require(try await gateway.keys.keys(of: gateway.user).first?.terms.allowedIPs)
            #expect(listed.texts == ["1.2.3.4/30", "1.2.3.8/31"])
            for number in [3, 4, 7, 9, 10] {
                let outcome = try await gateway.call(issued.key, from: "1.2.3.\(number)").outcome
                #expect((outcome == .admitted) == (4...9).contains(number))
                #expect(listed.contains("1.2.3.\(number)") == (4...9).contains(number))
            }
        }
    }

    /// The script and ``NetworkList/contains(_:)`` say the same of random networks and addresses in and beside them.
    @Test func networksAgreeWithTheModel() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 100_000, ratePerMinute: 100_000)])
        try await KeyGateway.run(plans: plans) { gateway in
            var random = SeededGenerator(seed: 17)
            let issued = try await gateway.makeKey(allowedIPs: ["192.0.2.7"])
            var seen: [AdmissionDecision.Outcome: Int] = [:]
            for _ in 0..<60 {
                let count = Int.random(in: 1...4, using: &random)
                let networks = (0..<count).map { _ in Self.network(&random) }
                let list = try #require(NetworkList(networks.map(\.text)), "\(networks)")
                let field = list.ranges.joined(separator: " ")
                _ = try await gateway.client.execute(
                    RedisCommand("HSET", "key:{user_abc}:{\(issued.key.id)}", "allowedIPs", field))
                for _ in 0..<12 {
                    let network = networks[Int.random(in: 0..<count, using: &random)]
                    let address = network.address(flipping: Int.random(in: 0..<network.width, using: &random))
                    let expected = list.contains(address) ? AdmissionDecision.Outcome.admitted : Self.refused
                    #expect(
                        try await gateway.call(issued.key, from: address).outcome == expected,
                        "\(address) in \(list.texts)")
                    seen[expected, default: 0] += 1
                }
            }
            #expect(seen.values.allSatisfy { $0 > 100 } && seen.count == 2, "both came up")
        }
    }

    private struct Network {
        /// With zeros behind the length.
        let bytes: [UInt8]
        let length: Int

        var width: Int { bytes.count * 8 }
        var text: String { "\(Self.text(bytes))/\(length)" }

        /// An address that differs from the network's first one in one bit: in the network if it lies behind the length.
        func address(flipping bit: Int) -> String {
            var bytes = bytes
            bytes[bit / 8] ^= 0x80 >> UInt8(bit % 8)
            return Self.text(bytes)
        }

        private static func text(_ bytes: [UInt8]) -> String {
            guard bytes.count == 16 else { return bytes.map { "\($0)" }.joined(separator: ".") }
            return stride(from: 0, to: 16, by: 2)
                .map { String(Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]), radix: 16) }.joined(separator: ":")
        }
    }

    private static func network(_ random: inout SeededGenerator) -> Network {
        let count = Bool.random(using: &random) ? 4 : 16
        let length = Int.random(in: 0...count * 8, using: &random)
        let bytes = (0..<count).map { place in
            let kept = min(8, max(0, length - place * 8))
            return UInt8.random(in: 0...255, using: &random) & UInt8(truncatingIfNeeded: 0xFF00 >> kept)
        }
        return Network(bytes: bytes, length: length)
    }
}
