import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

@Suite struct SubscriptionStoreTests {
    /// 2025-11-26T23:00:00Z
    private static let time = UnixTime(seconds: 1_764_198_000)

    private static func user(_ name: String) throws -> UserID { try #require(UserID(name)) }

    private func withStore(_ body: (RedisSubscriptionStore, RedisClient) async throws -> Void) async throws {
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                try await body(RedisSubscriptionStore(client: client), client)
            }
        }
    }

    private static func update(
        _ event: String, at time: UnixTime, _ status: SubscriptionStatus, isAuthoritative: Bool = false
    ) throws -> SubscriptionUpdate {
        SubscriptionUpdate(
            userID: try user("user_abc"), plan: "paid", status: status, customerID: "cus_1", subscriptionID: "sub_1",
            startedAt: time, period: SubscriptionPeriod(start: time, end: time.adding(seconds: 30 * 86_400)),
            eventTime: time, eventID: event, isAuthoritative: isAuthoritative)
    }

    @Test func recordsAreReadable() async throws {
        try await withStore { store, client in
            let user = try Self.user("user_abc")
            #expect(try await store.record(of: user) == nil)
            let now = Self.time.adding(seconds: 2)
            let outcome = try await store.apply(Self.update("evt_1", at: Self.time, .pastDue), at: now)
            try await tellClerk(user, store, at: now.adding(seconds: 1))
            let fields = try await client.send("HGETALL subscription:{user_abc}").array?.compactMap { $0.string } ?? []
            #expect(
                fields == [
                    "plan", "paid", "status", "past_due", "customer", "cus_1", "subscription", "sub_1",
                    "startedAt", "2025-11-26T23:00:00Z", "periodStart", "2025-11-26T23:00:00Z",
                    "periodEnd", "2025-12-26T23:00:00Z", "eventTime", "2025-11-26T23:00:00Z", "eventId", "evt_1",
                    "pastDueSince", "2025-11-26T23:00:00Z", "writtenAt", "2025-11-26T23:00:02Z",
                    "clerkUpdatedAt", "2025-11-26T23:00:03Z",
                ])
            #expect(try await client.send("TTL subscription:{user_abc}").integer == -1)
            var record = try #require(try await store.record(of: user))
            #expect(record.clerkUpdatedAt == now.adding(seconds: 1))
            record.clerkUpdatedAt = nil
            #expect(outcome == .applied(record))
        }
    }

    private func tellClerk(_ user: UserID, _ store: RedisSubscriptionStore, at time: UnixTime) async throws {
        guard case .due(let record) = try await store.beginClerkUpdate(of: user, token: "a") else {
            Issue.record("there is nothing to tell")
            return
        }
        try await store.endClerkUpdate(of: user, token: "a", toldOf: record.eventID, at: time)
    }

    /// Stripe is asked where a record's own time orders nothing.
    @Test(arguments: ["garbage", "9999-12-31T23:59:59Z", "2026-11-26T23:00:00Z"])
    func aDamagedTimeHoldsUpNoEvent(eventTime: String) async throws {
        try await withStore { store, client in
            let now = Self.time.adding(seconds: 60)
            _ = try await store.apply(Self.update("evt_1", at: Self.time, .active), at: now)
            try await client.send("HSET subscription:{user_abc} eventTime \(eventTime)")
            let next = Self.time.adding(seconds: 10)
            #expect(try await store.apply(Self.update("evt_2", at: next, .canceled), at: now) == .tie)
            let outcome = try await store.apply(
                Self.update("evt_2", at: next, .canceled, isAuthoritative: true), at: now)
            guard case .applied(let record) = outcome else { return #expect(Bool(false), "\(outcome)") }
            #expect(record.status == .canceled && record.eventTime == next)
        }
    }

    @Test func oneWorkerAtATimeTellsClerk() async throws {
        try await withStore { store, client in
            let user = try Self.user("user_abc")
            #expect(try await store.beginClerkUpdate(of: user, token: "a") == .upToDate, "there is no record")
            let outcome = try await store.apply(Self.update("evt_1", at: Self.time, .active), at: Self.time)
            guard case .applied(let record) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            #expect(try await store.beginClerkUpdate(of: user, token: "a") == .due(record))
            #expect(try await store.beginClerkUpdate(of: user, token: "b") == .taken)
            let lease = try await client.send("PTTL subscription:{user_abc}:clerk").integer ?? 0
            #expect((1...10_000).contains(lease), "a worker that dies does not keep the turn")

            try await store.endClerkUpdate(of: user, token: "b", toldOf: nil, at: Self.time)
            #expect(try await store.beginClerkUpdate(of: user, token: "b") == .taken, "the turn is not b's to end")
            try await store.endClerkUpdate(of: user, token: "a", toldOf: nil, at: Self.time)
            #expect(try await store.beginClerkUpdate(of: user, token: "b") == .due(record), "a failed to tell")
            try await store.endClerkUpdate(of: user, token: "b", toldOf: "evt_1", at: Self.time)
            #expect(try await store.beginClerkUpdate(of: user, token: "c") == .upToDate)
        }
    }

    @Test func clerkIsToldOfTheNewestRecord() async throws {
        try await withStore { store, _ in
            let user = try Self.user("user_abc")
            _ = try await store.apply(Self.update("evt_1", at: Self.time, .active), at: Self.time)
            _ = try await store.beginClerkUpdate(of: user, token: "a")
            let later = Self.time.adding(seconds: 1)
            _ = try await store.apply(Self.update("evt_2", at: later, .canceled), at: later)
            try await store.endClerkUpdate(of: user, token: "a", toldOf: "evt_1", at: later)
            #expect(try await store.record(of: user)?.clerkUpdatedAt == nil, "Clerk has heard of the first event only")
            let renewal = try Self.update("evt_3", at: later.adding(seconds: 1), .canceled)
            try await tellClerk(user, store, at: later)
            _ = try await store.apply(renewal, at: later.adding(seconds: 1))
            #expect(try await store.record(of: user)?.eventID == "evt_3")
            #expect(try await store.beginClerkUpdate(of: user, token: "a") == .upToDate, "it would hear the same again")
        }
    }

    @Test func customersLeadToTheirUsers() async throws {
        try await withStore { store, client in
            let user = try Self.user("user_abc")
            #expect(try await store.user(ofCustomer: "cus_1") == nil)
            for _ in 0..<2 { try await store.recordCustomer("cus_1", of: user) }
            #expect(try await store.user(ofCustomer: "cus_1") == user)
            #expect(try await client.send("GET customer:{cus_1}:userId").string == "user_abc")
            #expect(try await client.send("TTL customer:{cus_1}:userId").integer == -1)
        }
    }

    @Test func recordsWrittenByHandAreUnderstood() async throws {
        try await withStore { store, client in
            let user = try Self.user("user_abc")
            try await client.send("HSET subscription:{user_abc} status active")
            #expect(try await store.record(of: user) == nil, "without a plan")
            try await client.send("HSET subscription:{user_abc} plan pro eventTime yesterday")
            let record = try #require(try await store.record(of: user))
            #expect(record.plan == "pro" && record.status == .active)
            #expect(record.eventTime == UnixTime(seconds: 0))
            try await client.send("HSET subscription:{user_abc} subscription sub_0")
            let handwritten = try await store.record(of: user)
            let update = try Self.update("evt_1", at: Self.time, .active, isAuthoritative: true)
            let outcome = try await store.apply(update, at: Self.time)
            #expect(outcome == SubscriptionRecord.applying(update, to: handwritten, at: Self.time), "it gives way")
            #expect(try await store.record(of: user)?.subscriptionID == "sub_1")
            try await client.send("SET subscription:{user_def} text")
            await #expect(throws: StoreUnavailable.self) { try await store.record(of: Self.user("user_def")) }
        }
    }

    @Test func parallelDeliveriesLeaveTheNewest() async throws {
        try await withStore { store, _ in
            let updates = try (0..<100).map { number in
                try Self.update(
                    "evt_\(number)", at: Self.time.adding(seconds: number), number == 99 ? .canceled : .active)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for update in updates.shuffled() {
                    group.addTask { _ = try await store.apply(update, at: Self.time) }
                }
                try await group.waitForAll()
            }
            let record = try await store.record(of: Self.user("user_abc"))
            #expect(record?.eventID == "evt_99")
            #expect(record?.status == .canceled)
        }
    }

    @Test func oneCommandApplies() async throws {
        try await withStore { store, client in
            _ = try await store.apply(Self.update("evt_0", at: Self.time, .active), at: Self.time)
            try await client.send("CONFIG RESETSTAT")
            for number: Int64 in 1...20 {
                let time = Self.time.adding(seconds: number)
                _ = try await store.apply(Self.update("evt_\(number)", at: time, .active), at: time)
            }
            #expect(try await client.calls(of: "evalsha") == 20)
            #expect(try await client.calls(of: "eval") == 0)
        }
    }

    @Test(arguments: [1, 2, 3]) func scriptAgreesWithTheRuleOnRandomHistories(seed: UInt64) async throws {
        try await withStore { store, _ in
            var random = SeededGenerator(seed: seed)
            var records: [UserID: SubscriptionRecord] = [:]
            var seen: [SubscriptionOutcome.Kind: Int] = [:]
            let users = try (0..<60).map { try Self.user("user_\($0)") }
            for step in 0..<2000 {
                let update = SubscriptionUpdate.random(users: users, from: Self.time, using: &random)
                let now = Self.time.adding(seconds: Int64(step))
                let expected = SubscriptionRecord.applying(update, to: records[update.userID], at: now)
                let outcome = try await store.apply(update, at: now)
                guard outcome == expected else {
                    Issue.record("step \(step): \(update) on \(String(describing: records[update.userID])): \(outcome)")
                    return
                }
                seen[outcome.kind, default: 0] += 1
                if case .applied(let record) = outcome { records[update.userID] = record }
                if step.isMultiple(of: 2),
                    case .due(let record) = try await store.beginClerkUpdate(
                        of: update.userID, token: "a")
                {
                    try await store.endClerkUpdate(of: update.userID, token: "a", toldOf: record.eventID, at: now)
                    records[update.userID]?.clerkUpdatedAt = now
                }
            }
            for user in users {
                let stored = try await store.record(of: user)
                #expect(stored == records[user])
            }
            #expect(seen.count == 5 && seen.values.allSatisfy { $0 > 20 }, "one-sided: \(seen)")
        }
    }
}

extension SubscriptionOutcome {
    fileprivate enum Kind { case applied, alreadyApplied, stale, tie, rivalry }

    fileprivate var kind: Kind {
        switch self {
        case .applied: .applied
        case .alreadyApplied: .alreadyApplied
        case .stale: .stale
        case .tie: .tie
        case .rivalry: .rivalry
        }
    }
}

extension SubscriptionUpdate {
    /// One of few, so that histories are full of ties, repetitions and rivals.
    static func random(
        users: [UserID], from start: UnixTime, using random: inout SeededGenerator
    ) -> SubscriptionUpdate {
        func one<Value>(of values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &random)] }
        func moment() -> UnixTime { start.adding(seconds: one(of: [0, 1, 2, 3, 4, 5, 6])) }
        let period = SubscriptionPeriod(start: moment(), end: moment().adding(seconds: 86_400))
        var update = SubscriptionUpdate(
            userID: one(of: users), plan: one(of: [nil, "free", "paid", "paid", "pro"]),
            status: one(of: SubscriptionStatus.named + [.active, .active, .pastDue, .canceled, .unknown("frozen")]),
            customerID: one(of: [nil, "cus_1", "cus_2"]), subscriptionID: one(of: [nil, "sub_1", "sub_1", "sub_2"]),
            startedAt: one(of: [nil, moment()]), period: one(of: [nil, period]), eventTime: moment(),
            eventID: "evt_\(one(of: Array(0..<20)))", isAuthoritative: one(of: [true, false, false, false]))
        update.endedRivalID = one(of: [nil, "sub_1"])
        return update
    }
}
