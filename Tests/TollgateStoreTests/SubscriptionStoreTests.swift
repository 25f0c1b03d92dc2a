import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev

@testable import TollgateStore

@Suite struct SubscriptionStoreTests {
    /// 2025-11-26T23:00:00Z
    private static let time = UnixTime(seconds: 1_764_198_000)
    private static let name = "subscription:{user_abc}"

    private static func user(_ name: String = "user_abc") throws -> UserID { try #require(UserID(name)) }

    private func withStore(_ body: (RedisSubscriptionStore, RedisClient) async throws -> Void) async throws {
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                try await body(RedisSubscriptionStore(client: client), client)
            }
        }
    }

    private func tellClerk(_ user: UserID, _ store: RedisSubscriptionStore, at time: UnixTime) async throws {
        guard case .due(let record) = try await store.beginClerkUpdate(of: user, token: "a") else {
            Issue.record("there is nothing to tell")
            return
        }
        try await store.endClerkUpdate(of: user, token: "a", toldOf: record, at: time)
    }

    // MARK: What is written

    @Test func whatIsWrittenIsReadable() async throws {
        try await withStore { store, client in
            let user = try Self.user()
            #expect(try await store.record(of: user) == nil)
            let now = Self.time.adding(seconds: 2)
            var seen = Subscription.example("sub_1", .pastDue, at: Self.time)
            seen.endsAt = Self.time.adding(seconds: 86_400)
            seen.collectionPause = .untilFurtherNotice
            seen.firstPriceIDs = ["price_1", "price_2"]
            seen.soldAs = "paid"
            let written = try await store.take(seen, for: user, at: now)
            try await store.take(.example("sub_0", .active, plan: "free", at: Self.time), for: user, at: now)
            try await tellClerk(user, store, at: now.adding(seconds: 1))
            let fields = try await client.send("HGETALL \(Self.name)").array?.compactMap(\.string) ?? []
            let pairs = stride(from: 0, to: fields.count, by: 2).map { fields[$0] + " " + fields[$0 + 1] }
            #expect(
                pairs.sorted() == [
                    "clerkUpdatedAt 2025-11-26T23:00:03Z", "collectionPausedUntil further-notice", "customer cus_1",
                    "endsAt 2025-11-27T23:00:00Z", "pastDueSince 2025-11-26T23:00:00Z",
                    "periodEnd 2025-12-26T23:00:00Z", "periodEndAfterGrace 2025-12-26T23:00:00Z",
                    "periodStart 2025-11-26T23:00:00Z", "periodStartAfterGrace 2025-11-26T23:00:00Z", "plan paid",
                    "planAfterGrace free", "revision 2", "startedAt 2025-11-26T23:00:00Z", "status past_due",
                    "subscription sub_1", "writtenAt 2025-11-26T23:00:02Z",
                ])
            #expect(
                try await client.send("HGET subscriptions:{user_abc} sub_1").string
                    == "customer=cus_1 status=past_due plan=paid prices=price_1 firstPrices=price_1,price_2 soldAs=paid "
                    + "startedAt=2025-11-26T23:00:00Z periodStart=2025-11-26T23:00:00Z "
                    + "periodEnd=2025-12-26T23:00:00Z endsAt=2025-11-27T23:00:00Z "
                    + "collectionPausedUntil=further-notice pastDueSince=2025-11-26T23:00:00Z seenAt=1764198000000")
            for key in [Self.name, "subscriptions:{user_abc}"] {
                #expect(try await client.send("TTL \(key)").integer == -1)
            }
            #expect(written?.revision == 1 && written?.clerkUpdatedAt == nil)
            #expect(try await store.record(of: user)?.clerkUpdatedAt == now.adding(seconds: 1))
        }
    }

    /// Whatever Stripe may say, of as many as are remembered.
    @Test(arguments: [1, 2, 3]) func whatIsWrittenIsReadAgain(seed: UInt64) async throws {
        try await withStore { store, _ in
            var random = SeededGenerator(seed: seed)
            let user = try Self.user()
            for round in 0..<60 {
                let seen = (0..<Int.random(in: 1...Purchases.maximumCount, using: &random)).map { number in
                    let one = Subscription.random(at: Self.time, using: &random)
                    return Subscription(
                        id: "sub_\(round)_\(number)", customerID: one.customerID, status: one.status, plan: one.plan,
                        priceIDs: one.priceIDs, firstPriceIDs: one.firstPriceIDs, soldAs: one.soldAs,
                        startedAt: one.startedAt, period: one.period, endsAt: one.endsAt, trialEnd: one.trialEnd,
                        collectionPause: one.collectionPause, pastDueSince: one.pastDueSince,
                        seenAt: UnixTime(milliseconds: one.seenAt.milliseconds + Int64(number)))
                }
                let purchases = Purchases(subscriptions: seen)
                let known = try await store.purchases(of: user)
                let record = purchases.record(
                    replacing: known.record, at: Self.time, plans: .standard, pastDueGraceSeconds: 2)
                #expect(try await store.write(purchases, record, of: user, over: known))
                var expected = try #require(record)
                expected.revision = Int64(round) + 1
                #expect(try await store.purchases(of: user) == KnownPurchases(purchases: purchases, record: expected))
            }
        }
    }

    @Test func oneScriptWrites() async throws {
        try await withStore { store, client in
            let user = try Self.user()
            try await store.take(.example(at: Self.time), for: user, at: Self.time)
            try await client.send("CONFIG RESETSTAT")
            for number: Int64 in 1...20 {
                let time = Self.time.adding(seconds: number)
                try await store.take(.example(at: time), for: user, at: time)
            }
            #expect(try await client.calls(of: "evalsha") == 20)
            #expect(try await client.calls(of: "eval") == 0)
        }
    }

    // MARK: Several writers

    @Test func whatWasWrittenMeanwhileIsNotLost() async throws {
        try await withStore { store, client in
            let user = try Self.user()
            func purchases(_ id: String, over known: KnownPurchases) -> (Purchases, SubscriptionRecord?) {
                var purchases = known.purchases
                purchases.take(.example(id, at: Self.time), plans: .standard)
                return (
                    purchases,
                    purchases.record(replacing: known.record, at: Self.time, plans: .standard, pastDueGraceSeconds: 0)
                )
            }
            let nothing = try await store.purchases(of: user)
            let (first, firstRecord) = purchases("sub_1", over: nothing)
            #expect(try await store.write(first, firstRecord, of: user, over: nothing))
            #expect(
                try await !store.write(first, firstRecord, of: user, over: nothing), "there was none, and now is one")
            let known = try await store.purchases(of: user)
            let (second, secondRecord) = purchases("sub_2", over: known)
            #expect(try await store.write(second, secondRecord, of: user, over: known))
            let (third, thirdRecord) = purchases("sub_3", over: known)
            #expect(try await !store.write(third, thirdRecord, of: user, over: known))
            #expect(try await store.purchases(of: user).purchases == second)
            try await client.send("DEL \(Self.name)")
            #expect(try await !store.write(third, thirdRecord, of: user, over: known), "an operator has deleted it")
            #expect(try await client.send("EXISTS \(Self.name)").integer == 0)
        }
    }

    @Test func eightWritersAtOnceLoseNothing() async throws {
        try await withStore { store, _ in
            let user = try Self.user()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        for number in 0..<4 {
                            let time = Self.time.adding(seconds: Int64(writer * 4 + number))
                            try await store.take(.example("sub_\(writer)_\(number)", at: time), for: user, at: time)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let known = try await store.purchases(of: user)
            #expect(known.purchases.subscriptions.count == 32)
            #expect(known.record?.revision == 32, "each has written once")
            #expect(known.record?.subscriptionID == "sub_7_3", "the last begun of those that are alike")
        }
    }

    @Test func theOrderInWhichLooksComeInDoesNotMatter() async throws {
        try await withStore { store, _ in
            let looks = (0..<100).map { number in
                Subscription.example(
                    "sub_1", number == 60 ? .canceled : .active, at: Self.time.adding(seconds: Int64(number)))
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                let user = try Self.user()
                for look in looks.shuffled() {
                    group.addTask { try await store.take(look, for: user, at: Self.time) }
                }
                try await group.waitForAll()
            }
            let seen = try await store.purchases(of: Self.user()).purchases.subscriptions["sub_1"]
            #expect(seen == looks[60], "nothing comes back from its end")
        }
    }

    /// It is one clock that orders the looks at a subscription, and it is Redis'.
    @Test func looksAreOrderedByRedis() async throws {
        try await withStore { store, client in
            let before = try #require(RedisClock.time(in: try await client.send("TIME")))
            let time = try await store.now(for: "sub_1")
            let after = try #require(RedisClock.time(in: try await client.send("TIME")))
            #expect((before...after).contains(time))
        }
    }

    // MARK: Clerk

    @Test func oneWorkerAtATimeTellsClerk() async throws {
        try await withStore { store, client in
            let user = try Self.user()
            #expect(try await store.beginClerkUpdate(of: user, token: "a") == .upToDate, "there is no record")
            let record = try #require(
                try await store.take(.example(at: Self.time), for: user, at: Self.time))
            #expect(try await store.beginClerkUpdate(of: user, token: "a") == .due(record))
            #expect(try await store.beginClerkUpdate(of: user, token: "b") == .taken)
            let lease = try await client.send("PTTL subscription:{user_abc}:clerk").integer ?? 0
            #expect((1...10_000).contains(lease), "a worker that dies does not keep the turn")

            try await store.endClerkUpdate(of: user, token: "b", toldOf: nil, at: Self.time)
            #expect(try await store.beginClerkUpdate(of: user, token: "b") == .taken, "the turn is not b's to end")
            try await store.endClerkUpdate(of: user, token: "a", toldOf: nil, at: Self.time)
            #expect(try await store.beginClerkUpdate(of: user, token: "b") == .due(record), "a failed to tell")
            try await store.endClerkUpdate(of: user, token: "b", toldOf: record, at: Self.time)
            #expect(try await store.beginClerkUpdate(of: user, token: "c") == .upToDate)
        }
    }

    @Test func clerkIsToldOfTheNewestRecord() async throws {
        try await withStore { store, _ in
            let user = try Self.user()
            let first = try await store.take(.example(at: Self.time), for: user, at: Self.time)
            _ = try await store.beginClerkUpdate(of: user, token: "a")
            let later = Self.time.adding(seconds: 1)
            try await store.take(.example("sub_1", .canceled, at: later), for: user, at: later)
            try await store.endClerkUpdate(of: user, token: "a", toldOf: first, at: later)
            #expect(try await store.record(of: user)?.clerkUpdatedAt == nil, "Clerk has heard of the first only")
            try await tellClerk(user, store, at: later)
            let last = later.adding(seconds: 1)
            try await store.take(.example("sub_1", .canceled, at: last), for: user, at: last)
            #expect(try await store.record(of: user)?.writtenAt == last)
            #expect(try await store.beginClerkUpdate(of: user, token: "a") == .upToDate, "it would hear the same again")
        }
    }

    @Test func customersLeadToTheirUsers() async throws {
        try await withStore { store, client in
            let user = try Self.user()
            #expect(try await store.user(ofCustomer: "cus_1") == nil)
            for _ in 0..<2 { try await store.recordCustomer("cus_1", of: user) }
            #expect(try await store.user(ofCustomer: "cus_1") == user)
            #expect(try await client.send("GET customer:{cus_1}:userId").string == "user_abc")
            #expect(try await client.send("TTL customer:{cus_1}:userId").integer == -1)
        }
    }
}
