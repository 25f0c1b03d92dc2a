import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// Records of subscriptions that people and earlier versions have written: what is read of them, and what becomes of them
/// when something is bought. The time is 2025-11-26T23:00:00Z.
@Suite struct HandwrittenRecordTests {
    private static let time = UnixTime(seconds: 1_764_198_000)
    private static let name = "subscription:{user_abc}"
    private static let plans = try? PlanTable(
        ["free", "paid", "pro"].map { Plan(name: $0, quota: 5, ratePerMinute: 5) })

    private struct Shop {
        let store: RedisSubscriptionStore
        let client: RedisClient
        let user: UserID

        @discardableResult
        func take(_ seen: Subscription, at time: UnixTime = time) async throws -> SubscriptionRecord? {
            try await store.take(seen, for: user, at: time, plans: try #require(plans), pastDueGraceSeconds: 100)
        }

        func hash(_ name: String = name) async throws -> [String: String] {
            let words = try await client.send("HGETALL \(name)").array?.compactMap(\.string) ?? []
            let pairs = stride(from: 0, to: words.count, by: 2).map { (words[$0], words[$0 + 1]) }
            return Dictionary(uniqueKeysWithValues: pairs)
        }
    }

    private static func run(_ body: (Shop) async throws -> Void) async throws {
        let user = try #require(UserID("user_abc"))
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                try await body(Shop(store: RedisSubscriptionStore(client: client), client: client, user: user))
            }
        }
    }

    @Test func recordsWrittenByHandAreUnderstood() async throws {
        try await Self.run { shop in
            try await shop.client.send("HSET \(Self.name) status active")
            #expect(try await shop.store.record(of: shop.user) == nil, "without a plan")
            try await shop.client.send("HSET \(Self.name) plan pro writtenAt yesterday trialEnd soon revision many")
            let record = try #require(try await shop.store.record(of: shop.user))
            #expect(record == SubscriptionRecord(plan: "pro", status: .active, writtenAt: UnixTime(seconds: 0)))
            #expect(record.isByHand)
            try await shop.client.send("SET subscription:{user_def} text")
            let other = try #require(UserID("user_def"))
            await #expect(throws: StoreUnavailable.self) { try await shop.store.record(of: other) }
        }
    }

    @Test func aPlanByHandStaysWhileNothingAsGoodIsBought() async throws {
        try await Self.run { shop in
            try await shop.client.send("HSET \(Self.name) plan paid status active note vip")
            try await shop.take(.example("sub_1", plan: nil, at: Self.time))
            #expect(try await shop.hash() == ["plan": "paid", "status": "active", "note": "vip", "revision": "1"])
            #expect(try await shop.hash("subscriptions:{user_abc}").keys.sorted() == ["sub_1"])
        }
    }

    @Test func aPlanByHandIsKeptAndComesBack() async throws {
        try await Self.run { shop in
            try await shop.client.send("HSET \(Self.name) plan paid status active note vip")
            try await shop.take(.example("sub_1", plan: "pro", at: Self.time))
            let bought = try await shop.store.record(of: shop.user)
            var fields = try await shop.hash()
            #expect(fields["plan"] == "pro" && fields["subscription"] == "sub_1" && fields["note"] == "vip")
            let kept = try await shop.hash("subscriptions:{user_abc}")["byHand"]
            #expect(kept?.hasPrefix("plan=paid status=active ") == true, "\(kept ?? "-")")
            try await shop.store.endClerkUpdate(of: shop.user, token: "a", toldOf: bought, at: Self.time)
            let later = Self.time.adding(seconds: 60)
            try await shop.take(.example("sub_1", .canceled, plan: "pro", at: later), at: later)
            fields = try await shop.hash()
            #expect(
                fields == [
                    "plan": "paid", "status": "active", "note": "vip", "revision": "2",
                    "writtenAt": "2025-11-26T23:01:00Z",
                ], "nothing of the subscription is left, and Clerk is told")
            #expect(try await shop.hash("subscriptions:{user_abc}").keys.sorted() == ["sub_1"], "not kept twice")
        }
    }

    /// The command of the guide, for a user who had a subscription once, and for one who has a lesser one.
    @Test(arguments: ["canceled", "active"]) func aPlanByHandMayBeWrittenOverASubscription(status: String) async throws
    {
        try await Self.run { shop in
            try await shop.take(.example("sub_1", SubscriptionStatus(status), at: Self.time))
            try await shop.client.send("HSET \(Self.name) plan pro status active")
            let later = Self.time.adding(seconds: 60)
            let record = try await shop.take(.example("sub_1", .canceled, at: later), at: later)
            #expect(record?.plan == "pro" && record?.status == .active && record?.isByHand == true)
            #expect(record?.customerID == "cus_1", "with the way to the bills so far")
            let last = later.adding(seconds: 60)
            try await shop.client.send("HSET \(Self.name) status canceled")
            let ended = try await shop.take(.example("sub_1", .canceled, at: last), at: last)
            #expect(ended?.grantedPlan(at: last, pastDueGraceSeconds: 0) == "free")
        }
    }

    /// An operator takes back what was given by deleting the record, or by giving it an end.
    @Test func aPlanByHandEndsWithItsRecord() async throws {
        try await Self.run { shop in
            try await shop.client.send("HSET \(Self.name) plan paid status active")
            try await shop.take(.example("sub_1", plan: "pro", at: Self.time))
            try await shop.client.send("DEL \(Self.name)")
            let record = try await shop.take(
                .example("sub_1", .canceled, plan: "pro", at: Self.time.adding(seconds: 1)))
            #expect(record?.grantedPlan(at: Self.time, pastDueGraceSeconds: 0) == "free")
            #expect(try await shop.hash("subscriptions:{user_abc}")["byHand"] == nil)
        }
    }

    @Test func fieldsThatCannotBeReadHoldNothingUp() async throws {
        try await Self.run { shop in
            try await shop.take(.example("sub_1", at: Self.time))
            for damage in [
                "HSET subscriptions:{user_abc} sub_2 nonsense", "HSET subscriptions:{user_abc} sub_3 plan=pro",
                "HSET subscriptions:{user_abc} sub_4 status=active=yes", "HSET subscriptions:{user_abc} byHand status",
                "HSET \(Self.name) revision many", "HSET \(Self.name) revision -7", "HSET \(Self.name) revision 007",
                "HSET \(Self.name) revision 99999999999999999999", "HDEL \(Self.name) revision",
                "HSET \(Self.name) writtenAt soon pastDueSince then",
            ] {
                try await shop.client.send(damage)
                let seen = try await shop.store.now(for: "sub_1")
                let record = try await shop.take(.example("sub_1", at: seen))
                #expect(record?.plan == "paid" && record?.subscriptionID == "sub_1", "\(damage)")
            }
            let known = try await shop.store.purchases(of: shop.user).purchases.subscriptions
            #expect(known["sub_2"] == nil && known["sub_3"] == nil && known["sub_4"]?.status.isLive == false)
        }
    }

    /// It tells of one subscription only, and that one is not forgotten when another is seen.
    @Test func aRecordOfAnEarlierVersionStandsForItsSubscription() async throws {
        try await Self.run { shop in
            try await shop.client.send(
                "HSET \(Self.name) plan pro status active customer cus_0 subscription sub_0 startedAt "
                    + "2025-11-01T00:00:00Z periodStart 2025-11-01T00:00:00Z periodEnd 2025-12-01T00:00:00Z eventTime "
                    + "2025-11-01T00:00:00Z eventId evt_1 writtenAt 2025-11-01T00:00:00Z clerkUpdatedAt "
                    + "2025-11-01T00:00:01Z")
            let record = try #require(try await shop.take(.example("sub_1", .canceled, at: Self.time)))
            #expect(record.plan == "pro" && record.status == .active && record.subscriptionID == "sub_0")
            #expect(record.clerkUpdatedAt == UnixTime(iso8601: "2025-11-01T00:00:01Z"), "there is nothing new to tell")
            let known = try await shop.store.purchases(of: shop.user).purchases
            #expect(known.subscriptions.keys.sorted() == ["sub_0", "sub_1"] && known.byHand == nil)
            let ended = try await shop.take(.example("sub_0", .canceled, plan: "pro", at: Self.time))
            #expect(ended?.grantedPlan(at: Self.time, pastDueGraceSeconds: 0) == "free")
        }
    }
}
