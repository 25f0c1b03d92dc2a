import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// A call that is refused writes nothing but when its key was used and, in the history, that a limit refused it, whatever
/// stands in the records that it was judged by.
/// The time is 2025-11-26T23:00:00Z.
@Suite(.timeLimit(.minutes(6))) struct RefusedCallTests {
    private static let route = Result { try #require(RouteLimit(route: "search", ratePerMinute: 2)) }

    /// Odd values wherever there may be some, and a full measure of `limit`.
    private static func writeOddValues(_ gateway: KeyGateway, but limit: [String: String] = [:]) async throws {
        try await gateway.writeUsage([
            "usageCount": limit["usageCount"] ?? "many", "periodStart": "soon", "periodEnd": "later", "plan": "gold",
            "lastUpdated": "x", "previousPeriodStart": "nan", "previousUsageCount": "inf",
        ])
        try await gateway.client.send("SET \(KeyGateway.minute) \(limit["minute"] ?? "many")")
        try await gateway.client.send("SET ratelimit:{user_abc}:search:29403300 \(limit["route"] ?? "many")")
        try await gateway.client.send("HSET \(KeyGateway.tenDays) 26/search x")
        try await gateway.client.send("HSET subscription:{user_abc} plan gold status past_due pastDueSince nan")
    }

    @Test(arguments: [
        (["usageCount": "5"], AdmissionDecision.Outcome.quotaExceeded),
        (["minute": "100"], .rateLimited), (["route": "2"], .rateLimited),
    ])
    func limitsThatRefuseLeaveOddValuesAlone(
        limit: [String: String], outcome: AdmissionDecision.Outcome
    ) async throws {
        try await KeyGateway.run { gateway in
            try await Self.writeOddValues(gateway, but: limit)
            var decision: AdmissionDecision?
            let changes = try await gateway.changes {
                for key in [nil, "k"] {
                    decision = try await gateway.admit(reservation: "r", key: key, limit: Self.route.get())
                    #expect(decision?.outcome == outcome)
                }
            }
            #expect(changes == [KeyGateway.tenDays], "\(changes)")
            let code = outcome == .rateLimited ? "rate-limit-exceeded" : "quota-exceeded"
            #expect(try await gateway.hash(KeyGateway.tenDays) == ["26/search": "x", "26!\(code)": "2"])
            let odd = ["usageCount", "periodStart", "minute", "route-minute"].filter { name in
                limit[name == "route-minute" ? "route" : name] == nil
            }
            #expect(decision?.oddities.names == odd, "told all the same")
        }
    }

    @Test func aLookChangesNothing() async throws {
        try await KeyGateway.run { gateway in
            try await Self.writeOddValues(gateway)
            let changes = try await gateway.changes {
                let request = AdmissionRequest(
                    principal: Principal(userID: gateway.user), time: KeyGateway.time, routeLimit: try Self.route.get())
                let decision = try await gateway.admissions.peek(request)
                #expect(decision.outcome == .admitted && decision.usage.count == 0)
                #expect(decision.oddities.names == ["usageCount", "periodStart", "minute", "route-minute"])
            }
            #expect(changes.isEmpty, "\(changes)")
        }
    }

    @Test func repeatsThatAreRefusedChangeNothing() async throws {
        try await KeyGateway.run { gateway in
            #expect(try await gateway.admit(reservation: "r1", key: "k").outcome == .admitted)
            try await Self.writeOddValues(gateway)
            let changes = try await gateway.changes {
                let inUse = try await gateway.admit(reservation: "r2", key: "k")
                #expect(inUse.outcome == .idempotencyKeyInUse)
                let other = AdmissionRequest(
                    principal: Principal(userID: gateway.user), time: KeyGateway.time,
                    idempotentCall: IdempotentCall(key: "k", fingerprint: "g"))
                let reused = try await gateway.admissions.admit(other)
                #expect(reused.outcome == .idempotencyKeyReused)
            }
            #expect(changes.isEmpty, "\(changes)")
        }
    }

    /// But that a key which is the user's may not do it.
    @Test func keysThatAreNotLetInChangeNothing() async throws {
        try await KeyGateway.run { gateway in
            let (revoked, narrow) = (try await gateway.makeKey(), try await gateway.makeKey(scopes: ["read"]))
            let expired = try await gateway.makeKey(expiresAfter: 10)
            #expect(try await gateway.keys.revoke(revoked.key.id, of: gateway.user, at: KeyGateway.time) == .revoked)
            let forged = try #require(
                APIKey(
                    id: narrow.key.id, owner: gateway.user, mode: .live,
                    secret: [UInt8](repeating: 1, count: APIKey.secretByteCount)))
            try await Self.writeOddValues(gateway)
            let changes = try await gateway.changes {
                for (key, refusal) in [
                    (revoked.key, KeyRefusal.revoked), (expired.key, .expired), (narrow.key, .scopeMissing),
                    (forged, .unknown),
                ] {
                    let decision = try await gateway.call(key, after: 10, requiring: ["write"])
                    #expect(decision.outcome == .keyRefused(refusal))
                    #expect(decision.oddities.isEmpty && decision.usage.count == 0, "nothing is told")
                }
            }
            #expect(changes == [KeyGateway.tenDays], "\(changes)")
            #expect(try await gateway.hash(KeyGateway.tenDays) == ["26/search": "x", "26!scope-missing": "1"])
        }
    }

    @Test func ofAKeyThatLimitsRefuseOnlyItsUseIsNoted() async throws {
        for limit in [["usageCount": "5"], ["minute": "100"]] {
            try await KeyGateway.run { gateway in
                let key = try await gateway.makeKey().key
                try await Self.writeOddValues(gateway, but: limit)
                let name = "key:{user_abc}:{\(key.id)}"
                let changes = try await gateway.changes { _ = try await gateway.call(key) }
                #expect(changes == [name, KeyGateway.tenDays])
                #expect(try await gateway.hash(name)["lastUsedAt"] == "2025-11-26T23:00:00Z")
                let more = try await gateway.changes { _ = try await gateway.call(key, after: 59) }
                #expect(more == [KeyGateway.tenDays], "once a minute: \(more)")
            }
        }
    }

    // MARK: Any values

    private static let values = [
        "0", "3", "5", "-2", "100", "1e1", "0x10", "9007199254740992", "9007199254740995", "9223372036854775807",
        "-9223372036854775808", "nan", "inf", "1e300", "1.5", "", " ", "many", "2025-11-01", "2025-11-15", "2025-12-01",
        "2025-10-01", "9999-12-31", "2025-11-26T23:00:00Z", "2025-11-26T22:00:00Z", "free", "paid", "gold", "active",
        "past_due", "\u{0}", "é",
    ]

    private static let fields: [(key: String, fields: [String])] = [
        (
            "usage:{user_abc}",
            [
                "usageCount", "periodStart", "periodEnd", "plan", "lastUpdated", "previousPeriodStart",
                "previousUsageCount", "reservedUntil",
            ]
        ),
        (KeyGateway.tenDays, ["26/search", "26/reports"]),
        ("subscription:{user_abc}", ["plan", "status", "pastDueSince", "writtenAt", "clerkUpdatedAt"]),
        ("idempotency:{user_abc}:{k}", ["fingerprint", "until", "state", "leaseUntil", "calls", "attempt", "status"]),
    ]

    /// Of all values in all fields: no trap, no limit broken, nothing charged for a refusal, and all right afterwards.
    @Test(arguments: UInt64(1)...3) func whateverStandsThereTheLimitsHold(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        var admissions = 0
        try await KeyGateway.run { gateway in
            for round in 0..<120 {
                try await Self.writeAnything(gateway, using: &random)
                let (key, limit) = (random.next() % 2 == 0 ? "k" : nil, try Self.route.get())
                for call in 1...3 {
                    let before = try await StoredState(gateway.client)
                    let decision = try await gateway.admit(reservation: "r\(call)", key: key, limit: limit)
                    let after = try await StoredState(gateway.client)
                    #expect(UsageSnapshot.countRange.contains(decision.usage.count))
                    guard decision.outcome == .admitted || decision.outcome == .replayed else {
                        // A lease that has run out ends with any call.
                        let changes = after.changes(since: before).filter { $0 != KeyGateway.tenDays }
                        #expect(changes.isEmpty || call == 1 && changes == ["usage:{user_abc}"], "\(round): \(changes)")
                        break
                    }
                    admissions += 1
                    #expect(decision.rate.count <= decision.rate.limit, "round \(round)")
                    #expect((decision.routeRate?.count ?? 0) <= limit.ratePerMinute, "round \(round)")
                    #expect(decision.usage.count <= decision.usage.limit, "round \(round)")
                    #expect(call == 1 || decision.oddities.names.isEmpty, "round \(round): \(decision.oddities.names)")
                    let record = try await gateway.hash("usage:{user_abc}")
                    #expect(record["usageCount"] == "\(decision.usage.count)", "round \(round)")
                    #expect(["2025-11-01", "2025-11-15"].contains(record["periodStart"]), "round \(round): \(record)")
                }
            }
        }
        #expect(admissions > 60, "one-sided: \(admissions)")
    }

    private static func writeAnything(
        _ gateway: KeyGateway, using random: inout SeededGenerator
    ) async throws {
        func value() -> String { values[Int.random(in: 0..<values.count, using: &random)] }
        try await gateway.client.send("FLUSHALL")
        for (key, fields) in fields {
            for field in fields where random.next() % 2 == 0 { try await gateway.send("HSET", key, field, value()) }
        }
        for key in [KeyGateway.minute, "ratelimit:{user_abc}:search:29403300"] where random.next() % 2 == 0 {
            try await gateway.send("SET", key, value())
        }
    }
}
