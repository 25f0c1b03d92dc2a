import Hiredis
import Libcrypto
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

@Suite struct KeyAdmissionTests {
    private static let time = KeyGateway.time

    @Test func oneCommandChecksKeyAndLimits() async throws {
        try await KeyGateway.run { gateway in
            let issued = try await gateway.makeKey(scopes: ["read"])
            _ = try await gateway.call(issued.key)
            try await gateway.client.send("CONFIG RESETSTAT")
            for _ in 0..<4 {
                let decision = try await gateway.call(issued.key, requiring: ["read"])
                #expect(decision.outcome == .admitted)
                #expect(!decision.isRepeat && decision.reservation == nil)
            }
            #expect(try await gateway.call(issued.key, requiring: ["read"]).outcome == .quotaExceeded)
            #expect(try await gateway.client.calls(of: "evalsha") == 5)
            #expect(try await gateway.client.calls(of: "eval") == 0)
            #expect(try await gateway.count() == 5)
            let writes = try await gateway.client.calls(of: "hset")
            #expect(writes == 4, "when a key was used is noted once a minute")
        }
    }

    @Test func theSubscriptionsPlanCounts() async throws {
        try await KeyGateway.run { gateway in
            let issued = try await gateway.makeKey(mode: .test)
            #expect(try await gateway.call(issued.key).usage.plan == "free")
            try await gateway.client.send("HSET subscription:{user_abc} plan paid status active")
            let decision = try await gateway.call(issued.key)
            #expect(decision.usage.plan == "paid" && decision.usage.count == 2, "keys for tests count too")
        }
    }

    @Test func strangersLeaveNoTraceAndLearnNothing() async throws {
        try await KeyGateway.run { gateway in
            let issued = try await gateway.makeKey()
            for _ in 0..<3 { _ = try await gateway.call(issued.key) }
            let keys = try await gateway.client.send("DBSIZE").integer
            let forged = try #require(
                APIKey(
                    id: issued.key.id, owner: gateway.user, mode: .live,
                    secret: [UInt8](repeating: 1, count: APIKey.secretByteCount)))
            let otherUser = try #require(UserID("user_nobody"))
            let unknownOwner = try #require(
                APIKey(
                    id: issued.key.id, owner: otherUser, mode: .live,
                    secret: [UInt8](repeating: 1, count: APIKey.secretByteCount)))
            for key in [forged, unknownOwner] {
                let decision = try await gateway.call(key)
                #expect(decision.outcome == .keyRefused(.unknown))
                #expect(decision.usage.count == 0 && decision.usage.plan == "free" && decision.rate.count == 0)
            }
            #expect(try await gateway.client.send("DBSIZE").integer == keys)
            #expect(try await gateway.count() == 3)
            // The same key with another mode is another key: the hash covers it.
            let tested = try APIKey(Self.withMode(.test, issued.key))
            #expect(try await gateway.call(tested).outcome == .keyRefused(.unknown))
        }
    }

    /// The key's text with another prefix and the checksum that belongs to it.
    private static func withMode(_ mode: KeyMode, _ key: APIKey) throws -> String {
        let body = mode.prefix + key.text.dropFirst(mode.prefix.count).dropLast(7)
        let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz")
        var check = UInt32.max
        for byte in body.utf8 {
            check ^= UInt32(byte)
            for _ in 0..<8 { check = check & 1 == 1 ? 0xedb8_8320 ^ check >> 1 : check >> 1 }
        }
        let bits = UInt64(~check) << 3
        return body + String((0..<7).map { alphabet[Int(bits >> (30 - 5 * $0) & 31)] })
    }

    @Test func mistypedKeysNeverReachRedis() async throws {
        try await KeyGateway.run { gateway in
            let issued = try await gateway.makeKey()
            try await gateway.client.send("CONFIG RESETSTAT")
            for position in 8..<issued.key.text.count {
                var text = Array(issued.key.text)
                text[position] = text[position] == "0" ? "1" : "0"
                do {
                    _ = try await gateway.call(try APIKey(String(text)))
                    Issue.record("a mistyped key was read")
                } catch is APIKey.Problem {}
            }
            #expect(try await gateway.client.calls(of: "evalsha") == 0)
        }
    }

    @Test func revocationIsImmediateOnEveryWorker() async throws {
        try await KeyGateway.run { gateway in
            let issued = try await gateway.makeKey()
            #expect(try await gateway.call(issued.key, onOtherWorker: true).outcome == .admitted)
            #expect(try await gateway.keys.revoke(issued.key.id, of: gateway.user, at: Self.time) == .revoked)
            #expect(try await gateway.call(issued.key, onOtherWorker: true).outcome == .keyRefused(.revoked))
            #expect(try await gateway.count() == 1)
        }
    }

    /// The script and ``KeyRecord/refusal(of:requiring:at:)`` say the same of random records.
    @Test func refusalsAgreeWithTheModel() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 100_000, ratePerMinute: 100_000)])
        try await KeyGateway.run(plans: plans) { gateway in
            var random = SeededGenerator(seed: 11)
            func one<Value>(of values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &random)] }
            let scopes = ["read", "write", "read:all", "*"]
            var seen = Set<KeyRefusal?>()
            for round in 0..<60 {
                var secrets = [
                    try await gateway.makeKey(
                        scopes: scopes.filter { _ in one(of: [true, false]) }, expiresAfter: one(of: [nil, 50, 150]),
                        allowedIPs: one(of: [nil, nil, ["10.0.0.0/9", "2001:db8::/33"]]))
                ]
                let id = secrets[0].key.id
                for _ in 0..<one(of: [0, 1, 2]) {
                    if one(of: [true, false]) { _ = try await gateway.call(secrets[secrets.count - 1].key) }
                    if case .rotated(let next) = try await gateway.keys.rotate(
                        id, of: gateway.user, overlapSeconds: one(of: [0, 80]), at: Self.time)
                    {
                        secrets.append(next)
                    }
                }
                let record = try #require(try await gateway.keys.keys(of: gateway.user).first { $0.id == id })
                for _ in 0..<30 {
                    let (key, seconds) = (one(of: secrets).key, one(of: [0, 49, 50, 79, 80, 150]) as Int64)
                    let required = ["read", "write"].filter { _ in one(of: [true, false]) }
                    let address = one(of: ["10.1.2.3", "10.128.0.0", "2001:db8:7fff::1", "2001:db8:8000::", nil])
                    let expected = record.refusal(
                        of: KeyHash(of: key), requiring: required.compactMap { KeyScope($0) },
                        from: address.flatMap { IPAddress($0) }, at: Self.time.adding(seconds: seconds))
                    let decision = try await gateway.call(key, after: seconds, requiring: required, from: address)
                    #expect(
                        decision.outcome == (expected.map { .keyRefused($0) } ?? .admitted), "round \(round), \(record)"
                    )
                    seen.insert(expected)
                }
                #expect(try await gateway.keys.revoke(id, of: gateway.user, at: Self.time) == .revoked)
            }
            #expect(seen == [nil, .unknown, .expired, .scopeMissing, .addressNotAllowed], "every case came up")
        }
    }

    @Test func secretsNeverReachRedis() async throws {
        try await KeyGateway.run { gateway in
            try await gateway.client.send("CONFIG SET slowlog-log-slower-than 0")
            let issued = try await gateway.makeKey()
            _ = try await gateway.call(issued.key)
            let log = "\(try await gateway.client.send("SLOWLOG GET -1"))"
            let logged = try await gateway.client.send("SLOWLOG LEN").integer ?? 0
            #expect(logged > 2)
            #expect(!log.contains(String(issued.key.text.suffix(40))))
        }
    }
}

/// The keys of platform credentials, which say nothing of their owner.
@Suite struct PlatformKeyAdmissionTests {
    private static let pair = Credentials(
        platformID: "plt_" + String(repeating: "0f", count: 16), apiKey: "pk_live_" + String(repeating: "9a", count: 32)
    )

    private static func call(
        _ principal: Principal, _ store: RedisAdmissionStore
    ) async throws -> AdmissionDecision.Outcome {
        try await store.admit(
            AdmissionRequest(
                principal: principal, time: KeyGateway.time, requiredScopes: [try #require(KeyScope("anything"))])
        ).outcome
    }

    @Test func ownersAreLookedUpOnceAndKeysCheckedAlways() async throws {
        try await KeyGateway.run { gateway in
            let pair = try #require(Self.pair)
            let key = try #require(PlatformKey(pair.apiKey))
            _ = try await RedisCredentialStore(client: gateway.client).credentials(for: gateway.user, candidate: pair)
            let owners = PlatformKeyOwners(client: gateway.client)
            #expect(owners.remembered(key) == nil)
            try await gateway.client.send("CONFIG RESETSTAT")
            let principal = try #require(try await owners.principal(for: key))
            #expect(principal.userID == gateway.user)
            #expect(try await gateway.client.calls(of: "get") == 2)
            #expect(owners.remembered(key) == principal)
            try await gateway.client.send("SCRIPT FLUSH")
            try await gateway.client.send("CONFIG RESETSTAT")
            #expect(try await Self.call(principal, gateway.admissions) == .admitted, "good for every scope")
            #expect(try await owners.principal(for: key) == principal)
            #expect(try await Self.call(principal, gateway.admissions) == .admitted)
            #expect(try await gateway.client.calls(of: "evalsha") == 2)
            #expect(try await gateway.count() == 2)
            try await gateway.client.send("DEL user:{user_abc}:apiKey")
            #expect(owners.remembered(key) == principal, "the hint is still there")
            #expect(try await Self.call(principal, gateway.otherAdmissions) == .keyRefused(.unknown))
            try await gateway.client.send("SET user:{user_abc}:apiKey pk_live_\(String(repeating: "9b", count: 32))")
            #expect(try await Self.call(principal, gateway.admissions) == .keyRefused(.unknown), "another key")
        }
    }

    /// The key stands in public code.
    @Test func noPlatformKeyManagesAnything() async throws {
        try await KeyGateway.run { gateway in
            let pair = try #require(Self.pair)
            _ = try await RedisCredentialStore(client: gateway.client).credentials(for: gateway.user, candidate: pair)
            let owners = PlatformKeyOwners(client: gateway.client)
            let key = try #require(PlatformKey(pair.apiKey))
            let principal = try #require(try await owners.principal(for: key))
            let scopes: [[KeyScope]] = [
                [.all], [.billing], [.credentials], [try #require(KeyScope("read")), .billing],
            ]
            for needed in scopes {
                let request = AdmissionRequest(principal: principal, time: KeyGateway.time, requiredScopes: needed)
                #expect(try await gateway.admissions.admit(request).outcome == .keyRefused(.scopeMissing))
            }
            #expect(try await gateway.count() == 0)
            #expect(try await Self.call(principal, gateway.admissions) == .admitted)
        }
    }

    @Test func rotatedAndRevokedKeysAreRefusedWhateverIsRemembered() async throws {
        try await KeyGateway.run { gateway in
            let pair = try #require(Self.pair)
            let store = RedisCredentialStore(client: gateway.client)
            _ = try await store.credentials(for: gateway.user, candidate: pair)
            let owners = PlatformKeyOwners(client: gateway.client)
            let first = try #require(PlatformKey(pair.apiKey))
            var principals = [try #require(try await owners.principal(for: first))]
            for digit in ["1", "2"] {
                let next = try #require(PlatformKey("pk_live_" + String(repeating: digit, count: 64)))
                guard
                    case .rotated = try await store.rotate(
                        for: gateway.user, to: next, overlapSeconds: 60, at: KeyGateway.time)
                else { throw KeyGateway.Refused() }
                principals.append(try #require(try await owners.principal(for: next)))
            }
            func outcomes(after seconds: Int64) async throws -> [AdmissionDecision.Outcome] {
                var outcomes: [AdmissionDecision.Outcome] = []
                for principal in principals {
                    let request = AdmissionRequest(
                        principal: principal, time: KeyGateway.time.adding(seconds: seconds))
                    outcomes.append(try await gateway.otherAdmissions.admit(request).outcome)
                }
                return outcomes
            }
            #expect(try await outcomes(after: 59) == [.keyRefused(.unknown), .admitted, .admitted])
            #expect(try await outcomes(after: 60) == [.keyRefused(.unknown), .keyRefused(.expired), .admitted])
            #expect(try await store.revoke(for: gateway.user, at: KeyGateway.time) == .revoked)
            #expect(
                try await outcomes(after: 0)
                    == [.keyRefused(.unknown), .keyRefused(.unknown), .keyRefused(.revoked)])
            _ = try await store.credentials(for: gateway.user, candidate: pair)
            #expect(
                try await outcomes(after: 0) == [.admitted, .keyRefused(.unknown), .keyRefused(.revoked)])
        }
    }

    @Test func unknownKeysAreNotRemembered() async throws {
        try await KeyGateway.run { gateway in
            let owners = PlatformKeyOwners(client: gateway.client, capacity: 4)
            let key = try #require(PlatformKey("pk_live_" + String(repeating: "ab", count: 32)))
            #expect(try await owners.principal(for: key) == nil)
            #expect(owners.remembered(key) == nil)
            #expect(try await gateway.client.send("DBSIZE").integer == 0)
            let hash = SHA256.digest(key.text).hex
            try await gateway.client.send("SET apikey:{\(hash)} plt_1")
            #expect(try await owners.principal(for: key) == nil, "the platform has no user")
            try await gateway.client.send("SET platform:{plt_1}:userId user_abc")
            #expect(try await owners.principal(for: key)?.userID == gateway.user)
        }
    }
}
