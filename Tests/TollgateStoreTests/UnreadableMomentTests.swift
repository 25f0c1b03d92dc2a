import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// A moment that cannot be read is one that has passed: in the scripts, which decide, and in Swift, which explains. The
/// time is 2025-11-26T23:00:00Z.
@Suite(.timeLimit(.minutes(6))) struct UnreadableMomentTests {
    private static let unreadable = [
        "", " ", "soon", "zzzz", "never", "2025", "9999-12-31", "2026-11-26 23:00:00", "2026-11-26T23:00:00",
        "2026-11-26T23:00:00+00:00", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-26T24:00:00Z",
        "9999-99-99T99:99:99Z", "1764198000", "99999999999999999999",
    ]

    // MARK: Subscriptions

    @Test func aDebtWithoutADateHasUsedUpItsGrace() async throws {
        try await KeyGateway.run { gateway in
            func plan(since: String) async throws -> String {
                try await gateway.send(
                    "HSET", "subscription:{user_abc}", "plan", "paid", "status", "past_due", "pastDueSince", since)
                return try await gateway.admit(cost: 0).usage.plan
            }
            for moment in Self.unreadable {
                let plan = try await plan(since: moment)
                #expect(plan == "free", "'\(moment)'")
            }
            for moment in ["2025-11-25T10:00:00Z", "2025-11-26T23:00:00Z", "9999-12-31T00:00:00Z"] {
                #expect(try await plan(since: moment) == "paid", "'\(moment)'")
            }
            #expect(try await plan(since: "2025-11-19T23:00:00Z") == "free", "a week")
        }
    }

    /// The script and ``PlanResolution``, of records that hold anything.
    @Test func whosePlanCountsIsTheSameInScriptAndSwift() async throws {
        let moments =
            ["2025-11-25T10:00:00Z", "2025-11-26T22:00:00Z", "2025-11-26T22:59:59Z", "9999-12-31T00:00:00Z"]
            + Self.unreadable
        try await KeyGateway.run { gateway in
            var random = SeededGenerator(seed: 3)
            func one<Value>(of values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &random)] }
            let subscriptions = RedisSubscriptionStore(client: gateway.client)
            var seen: [String: Int] = [:]
            for round in 0..<800 {
                var words = ["HSET", "subscription:{user_abc}", "plan", "paid", "status"]
                words.append(one(of: ["active", "trialing", "past_due", "past_due", "canceled", "", "odd"]))
                for field in ["pastDueSince", "writtenAt", "clerkUpdatedAt"] where one(of: [true, true, false]) {
                    words += [field, one(of: [one(of: moments), moments[one(of: [0, 1, 2, 3])]])]
                }
                try await gateway.client.send("DEL subscription:{user_abc}")
                _ = try await gateway.client.execute(RedisCommand(arguments: words))
                let claimed = one(of: [nil, "free", "gold"])
                let principal = Principal(
                    userID: gateway.user, claimedPlan: claimed,
                    issuedAt: one(of: [nil, KeyGateway.time, KeyGateway.time.adding(seconds: -1800)]))
                let request = AdmissionRequest(principal: principal, time: KeyGateway.time)
                let decision = try await gateway.admissions.peek(request)
                let wanted = PlanResolution.resolve(
                    record: try await subscriptions.record(of: gateway.user), claimedPlan: claimed,
                    claimIssuedAt: principal.issuedAt, lastSeen: nil, now: KeyGateway.time)
                #expect(decision.planIsUnknown == (wanted == "gold"), "round \(round): \(words)")
                #expect(decision.usage.plan == (wanted == "gold" ? "free" : wanted), "round \(round): \(words)")
                seen[wanted, default: 0] += 1
            }
            #expect(seen.count == 3 && seen.values.allSatisfy { $0 > 20 }, "one-sided: \(seen)")
        }
    }

    // MARK: Keys

    private static func record(of key: APIKey, _ gateway: KeyGateway) async throws -> KeyRecord {
        try #require(try await gateway.keys.keys(of: gateway.user).first { $0.id == key.id })
    }

    @Test func aKeyWhoseEndNobodyCanReadHasExpired() async throws {
        try await KeyGateway.run { gateway in
            let key = try await gateway.makeKey(expiresAfter: 86_400).key
            let name = "key:{user_abc}:{\(key.id)}"
            for end in Self.unreadable {
                try await gateway.send("HSET", name, "expiresAt", end)
                #expect(try await gateway.call(key).outcome == .keyRefused(.expired), "'\(end)'")
                let record = try await Self.record(of: key, gateway)
                #expect(record.isExpired(at: KeyGateway.time), "'\(end)'")
                let refusal = record.refusal(of: KeyHash(of: key), requiring: [], at: KeyGateway.time)
                #expect(refusal == .expired, "'\(end)'")
                let rotation = try await gateway.keys.rotate(
                    key.id, of: gateway.user, overlapSeconds: 60, at: KeyGateway.time)
                #expect(rotation == .expired, "'\(end)'")
            }
            #expect(try await gateway.count() == 0)
            try await gateway.send("HSET", name, "expiresAt", "9999-12-31T23:59:59Z")
            #expect(try await gateway.call(key).outcome == .admitted)
        }
    }

    @Test func aKeyWhoseEndNobodyCanReadMakesRoom() async throws {
        try await KeyGateway.run { gateway in
            let key = try await gateway.makeKey(name: "odd", expiresAfter: 86_400).key
            for _ in 1..<KeyLimits.maximumCount { _ = try await gateway.makeKey() }
            let draft = try KeyDraft(KeyTerms(name: "one more"), at: KeyGateway.time)
            #expect(try await gateway.keys.create(draft, of: gateway.user, at: KeyGateway.time) == .tooMany)
            try await gateway.send("HSET", "key:{user_abc}:{\(key.id)}", "expiresAt", "zzzz")
            _ = try await gateway.makeKey()
            #expect(try await gateway.keys.keys(of: gateway.user).count == KeyLimits.maximumCount)
            #expect(try await gateway.call(key).outcome == .keyRefused(.expired))
        }
    }

    @Test func anOverlapWhoseEndNobodyCanReadIsOver() async throws {
        try await KeyGateway.run { gateway in
            let first = try await gateway.makeKey().key
            _ = try await gateway.call(first)
            guard
                case .rotated(let issued) = try await gateway.keys.rotate(
                    first.id, of: gateway.user, overlapSeconds: 600, at: KeyGateway.time)
            else { throw KeyGateway.Refused() }
            #expect(try await gateway.call(first).outcome == .admitted)
            for end in Self.unreadable {
                try await gateway.send("HSET", "key:{user_abc}:{\(first.id)}", "previousUntil", end)
                #expect(try await gateway.call(first).outcome == .keyRefused(.expired), "'\(end)'")
                let record = try await Self.record(of: first, gateway)
                let refusal = record.refusal(of: KeyHash(of: first), requiring: [], at: KeyGateway.time)
                #expect(refusal == .expired, "'\(end)'")
            }
            try await gateway.client.send("HDEL key:{user_abc}:{\(first.id)} previousUntil")
            #expect(try await gateway.call(first).outcome == .keyRefused(.expired))
            let record = try await Self.record(of: first, gateway)
            #expect(record.refusal(of: KeyHash(of: first), requiring: [], at: KeyGateway.time) == .expired)
            #expect(try await gateway.call(issued.key).outcome == .admitted)
        }
    }

    @Test func aPublishableKeysOverlapWhoseEndNobodyCanReadIsOver() async throws {
        try await KeyGateway.run { gateway in
            let pair = try #require(
                Credentials(
                    platformID: "plt_" + String(repeating: "0f", count: 16),
                    apiKey: "pk_live_" + String(repeating: "9a", count: 32)))
            let store = RedisCredentialStore(client: gateway.client)
            _ = try await store.credentials(for: gateway.user, candidate: pair)
            let owners = PlatformKeyOwners(client: gateway.client)
            let present = try #require(PlatformKey(pair.apiKey))
            let principal = try #require(try await owners.principal(for: present))
            let next = try #require(PlatformKey("pk_live_" + String(repeating: "1", count: 64)))
            _ = try await store.rotate(for: gateway.user, to: next, overlapSeconds: 60, at: KeyGateway.time)
            let request = AdmissionRequest(principal: principal, time: KeyGateway.time)
            #expect(try await gateway.admissions.admit(request).outcome == .admitted)
            for end in Self.unreadable {
                try await gateway.send("HSET", "user:{user_abc}:previousApiKey", "until", end)
                #expect(try await gateway.admissions.admit(request).outcome == .keyRefused(.expired), "'\(end)'")
                #expect(try await store.stored(for: gateway.user)?.previousUntil == nil, "'\(end)'")
            }
            #expect(try await gateway.count() == 1)
        }
    }
}
