import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// Whatever an admission writes to has an end, also what another client has made, restored or persisted: Redis must not
/// evict, so what has no end stays for good. The time is 2025-11-26T23:00:00Z.
@Suite(.timeLimit(.minutes(6))) struct RecordLifeTests {
    private static let usageLife: ClosedRange<Int64> = 35 * 86_400...35 * 86_400 + 3600
    private static let dayLife: ClosedRange<Int64> = 401 * 86_400 - 60...401 * 86_400
    private static let routeMinute = "ratelimit:{user_abc}:search:29403300"

    private func life(of name: String, _ gateway: KeyGateway) async throws -> Int64 {
        try await gateway.client.send("TTL \(name)").integer ?? -3
    }

    @Test(arguments: [
        "usageCount 3", "usageCount 3 periodStart 2025-11-01 periodEnd 2025-11-30 plan free",
        "usageCount 3 periodStart 2025-11-01 periodEnd 2025-11-30 plan free lastUpdated 2025-11-25T23:59:59Z",
        "usageCount 3 periodStart 2025-11-01 plan free lastUpdated 2025-11-26T22:00:00Z",
        "usageCount 3 periodStart soon periodEnd 2025-11-30 plan free lastUpdated 2025-11-26T22:00:00Z",
        "usageCount 3 periodStart 2025-11-01 periodEnd 2025-11-30 plan paid lastUpdated 2025-11-26T22:00:00Z",
    ])
    func aRecordMadeByHandGetsAnEnd(fields: String) async throws {
        try await KeyGateway.run { gateway in
            try await gateway.client.send("HSET usage:{user_abc} \(fields)")
            let principal = Principal(userID: gateway.user, claimedPlan: "free")
            let request = AdmissionRequest(principal: principal, time: KeyGateway.time)
            #expect(try await gateway.admissions.admit(request).outcome == .admitted)
            let life = try await life(of: "usage:{user_abc}", gateway)
            #expect(Self.usageLife.contains(life), "\(life)")
        }
    }

    /// A look at it with every call would cost every call: the first call of a day is soon enough.
    @Test func aRecordThatLostItsEndGetsAnotherWithinADay() async throws {
        try await KeyGateway.run { gateway in
            _ = try await gateway.admit()
            try await gateway.client.send("PERSIST usage:{user_abc}")
            _ = try await gateway.admit(after: 3600)
            let life = try await life(of: "usage:{user_abc}", gateway)
            #expect(life > 34 * 86_400 && life <= 35 * 86_400, "\(life)")
        }
    }

    @Test func aDayThatSomebodyElseBeganGetsAnEnd() async throws {
        try await KeyGateway.run { gateway in
            try await gateway.client.send("HSET \(KeyGateway.tenDays) 26/search 5 26/reports 1")
            _ = try await gateway.admit()
            #expect(try await gateway.hash(KeyGateway.tenDays) == ["26/search": "6", "26/reports": "1"])
            var life = try await life(of: KeyGateway.tenDays, gateway)
            #expect(Self.dayLife.contains(life), "\(life)")
            // On a day that was called on already, with another route.
            try await gateway.client.send("PERSIST \(KeyGateway.tenDays)")
            _ = try await gateway.admit(route: "billing")
            life = try await self.life(of: KeyGateway.tenDays, gateway)
            #expect(Self.dayLife.contains(life), "\(life)")
        }
    }

    @Test func minutesThatSomebodyElseBeganGetAnEnd() async throws {
        try await KeyGateway.run { gateway in
            let limit = try #require(RouteLimit(route: "search", ratePerMinute: 50))
            _ = try await gateway.admit(after: -3600, limit: limit)
            for (round, count) in ["7", "-7", "many", ""].enumerated() {
                for name in [KeyGateway.minute, Self.routeMinute] { try await gateway.send("SET", name, count) }
                _ = try await gateway.admit(limit: limit)
                for name in [KeyGateway.minute, Self.routeMinute] {
                    let life = try await life(of: name, gateway)
                    #expect((100...120).contains(life), "'\(count)', \(name): \(life)")
                }
                // As if this were the minute's first call once more.
                try await gateway.writeUsage(["usageCount": "\(round)"])
            }
        }
    }

    @Test func nothingOfAUserIsLeftForGood() async throws {
        try await KeyGateway.run { gateway in
            let limit = try #require(RouteLimit(route: "search", ratePerMinute: 50))
            let key = try await gateway.makeKey().key
            for (number, principal) in [Principal(userID: gateway.user), Principal(key)].enumerated() {
                let request = AdmissionRequest(
                    principal: principal, time: KeyGateway.time, route: "search",
                    idempotentCall: IdempotentCall(key: "k\(number)", fingerprint: "f"),
                    reservation: Reservation.Request(id: "r\(number)", leaseSeconds: 30), routeLimit: limit)
                let reservation = try #require(try await gateway.admissions.admit(request).reservation)
                let answer = try #require(StoredAnswer(status: 200, head: [1], body: [2]))
                if number == 0 { try await gateway.admissions.settle(reservation, as: .keepAndReplay(answer)) }
            }
            let names = try await StoredState(gateway.client).names
            for kind in [
                "idempotency:{user_abc}:answers", "idempotency:{user_abc}:{k0}", "reservations:{user_abc}",
                "usage:{user_abc}", KeyGateway.tenDays, KeyGateway.minute, Self.routeMinute,
            ] {
                #expect(names.contains(kind), "\(kind) is not among \(names)")
            }
            for name in names where !name.hasPrefix("key:") && name != "keys:{user_abc}" {
                #expect(try await life(of: name, gateway) > 0, "\(name)")
            }
        }
    }

    // MARK: Subscriptions

    private static func seen(
        _ number: Int64, _ status: SubscriptionStatus, id: String = "sub_1"
    ) -> Subscription {
        var seen = Subscription.example(id, status, at: KeyGateway.time.adding(seconds: number))
        seen.startedAt = KeyGateway.time
        return seen
    }

    @Test func looksLeaveAnOperatorsFieldsAndEndAlone() async throws {
        try await KeyGateway.run { gateway in
            let store = RedisSubscriptionStore(client: gateway.client)
            let name = "subscription:{user_abc}"
            try await gateway.client.send("HSET \(name) plan free status active note vip")
            try await gateway.client.send("EXPIRE \(name) 1000")
            for (number, status) in [SubscriptionStatus.pastDue, .active, .canceled].enumerated() {
                let seen = Self.seen(Int64(number), status)
                let record = try await store.take(seen, for: gateway.user, at: KeyGateway.time)
                #expect(try await store.purchases(of: gateway.user).purchases.subscriptions["sub_1"] == seen)
                let fields = try await gateway.hash(name)
                #expect(fields["note"] == "vip" && fields["revision"] == "\(number + 1)")
                #expect(fields["plan"] == "paid" && fields["status"] == status.name && record?.status == status)
                let since = status == .pastDue ? "2025-11-26T23:00:00Z" : nil
                #expect(fields["pastDueSince"] == since, "what is not so any more is gone")
                let life = try await life(of: name, gateway)
                #expect((900...1000).contains(life), "\(life)")
            }
            try await gateway.client.send("PERSIST \(name)")
            try await store.take(Self.seen(9, .canceled), for: gateway.user, at: KeyGateway.time)
            #expect(try await life(of: name, gateway) == -1, "none of its own accord")
        }
    }

    @Test func anotherSubscriptionLeavesNothingOfTheOneBefore() async throws {
        try await KeyGateway.run { gateway in
            let store = RedisSubscriptionStore(client: gateway.client)
            let first = try await store.take(Self.seen(0, .pastDue), for: gateway.user, at: KeyGateway.time)
            try await store.endClerkUpdate(
                of: gateway.user, token: "a", toldOf: first, at: KeyGateway.time)
            try await gateway.client.send("HSET subscription:{user_abc} note vip")
            try await store.take(Self.seen(1, .canceled), for: gateway.user, at: KeyGateway.time)
            let later = KeyGateway.time.adding(seconds: 60)
            let other = Subscription(id: "sub_2", status: .active, plan: "paid", startedAt: later, seenAt: later)
            try await store.take(other, for: gateway.user, at: later)
            #expect(
                try await gateway.hash("subscription:{user_abc}") == [
                    "plan": "paid", "status": "active", "subscription": "sub_2", "startedAt": "2025-11-26T23:01:00Z",
                    "writtenAt": "2025-11-26T23:01:00Z", "revision": "3", "note": "vip",
                ])
        }
    }
}
