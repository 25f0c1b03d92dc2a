import Hiredis
import RedisClient
import Synchronization
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

@Suite struct AdmissionScriptTests {
    /// 2025-11-26T23:00:00Z
    private static let time = UnixTime(seconds: 1_764_198_000)

    private static func user(_ name: String) throws -> UserID { try #require(UserID(name)) }

    private static func request(
        _ user: UserID, plan: String? = nil, at time: UnixTime = time, cost: Int = 1,
        quotaPolicy: AdmissionRequest.QuotaPolicy = .enforce
    ) -> AdmissionRequest {
        AdmissionRequest(
            principal: Principal(userID: user, claimedPlan: plan), time: time, cost: cost, quotaPolicy: quotaPolicy)
    }

    private func withStore(
        plans: PlanTable = .standard, pastDueGraceSeconds: Int64 = PlanResolution.standardPastDueGraceSeconds,
        _ body: (RedisAdmissionStore, RedisClient) async throws -> Void
    ) async throws {
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                let store = RedisAdmissionStore(
                    client: client, plans: plans, pastDueGraceSeconds: pastDueGraceSeconds)
                try await body(store, client)
            }
        }
    }

    @Test func recordsAreReadableAndExpire() async throws {
        try await withStore { store, client in
            let user = try Self.user("user_abc")
            for _ in 0..<3 { _ = try await store.admit(Self.request(user, plan: "free")) }
            let fields = try await client.send("HGETALL usage:{user_abc}").array?.compactMap(\.string) ?? []
            let record = Dictionary(
                uniqueKeysWithValues: stride(from: 0, to: fields.count, by: 2).map { (fields[$0], fields[$0 + 1]) })
            #expect(
                record == [
                    "usageCount": "3", "plan": "free", "lastUpdated": "2025-11-26T23:00:00Z",
                    "periodStart": "2025-11-01", "periodEnd": "2025-11-30",
                ])
            // Four days and an hour to the end of the month, and 31 days to look back.
            let life = try await client.send("TTL usage:{user_abc}").integer ?? 0
            #expect(life > 35 * 86_400 && life <= 35 * 86_400 + 3600)
            let minute = "ratelimit:{user_abc}:29403300"
            #expect(try await client.send("GET \(minute)").string == "3")
            let minuteLife = try await client.send("TTL \(minute)").integer ?? 0
            #expect((115...120).contains(minuteLife))
            #expect(try await client.send("DBSIZE").integer == 3, "record, minute and day")
        }
    }

    @Test func refusedCallsCostNothing() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 3, ratePerMinute: 2)])
        try await withStore(plans: plans) { store, client in
            let user = try Self.user("user_abc")
            for outcome in [AdmissionDecision.Outcome.admitted, .admitted, .rateLimited, .rateLimited] {
                #expect(try await store.admit(Self.request(user)).outcome == outcome)
            }
            #expect(try await client.send("HGET usage:{user_abc} usageCount").string == "2")
            let nextMinute = Self.time.adding(seconds: 60)
            for outcome in [AdmissionDecision.Outcome.admitted, .quotaExceeded, .quotaExceeded] {
                #expect(try await store.admit(Self.request(user, at: nextMinute)).outcome == outcome)
            }
            #expect(try await client.send("GET ratelimit:{user_abc}:29403301").string == "1")
            #expect(try await client.send("HGET usage:{user_abc} usageCount").string == "3")
        }
    }

    @Test func unknownUsersLeaveNoTraceWhenRefused() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 0, ratePerMinute: 2)])
        try await withStore(plans: plans) { store, client in
            let decision = try await store.admit(Self.request(Self.user("u")))
            #expect(decision.outcome == .quotaExceeded)
            let keys = try await client.send("DBSIZE").integer
            #expect(keys == 0)
        }
    }

    @Test func monthsRollOverAndNeverBack() async throws {
        try await withStore { store, _ in
            let user = try Self.user("user_abc")
            let lastSecond = UnixTime(seconds: 1_764_547_199)
            for _ in 0..<5 { _ = try await store.admit(Self.request(user, at: lastSecond)) }
            #expect(try await store.admit(Self.request(user, at: lastSecond)).outcome == .quotaExceeded)
            let december = try await store.admit(Self.request(user, at: lastSecond.adding(seconds: 1)))
            #expect(december.outcome == .admitted)
            #expect(december.usage.count == 1)
            #expect(december.usage.period.firstDay.description == "2025-12-01")
            let lateWorker = try await store.admit(Self.request(user, at: lastSecond))
            #expect(lateWorker.usage.count == 2, "a worker whose clock is behind counts in the new month")
            #expect(lateWorker.usage.period.firstDay.description == "2025-12-01")
        }
    }

    @Test func plansComeFromTheClaimThenFromTheRecordThenFree() async throws {
        try await withStore { store, client in
            let user = try Self.user("user_abc")
            #expect(try await store.admit(Self.request(user)).usage.plan == "free")
            #expect(try await store.admit(Self.request(user, plan: "paid")).usage.limit == 500)
            #expect(try await store.admit(Self.request(user)).usage.plan == "paid", "last seen")
            let unknown = try await store.admit(Self.request(user, plan: "gold"))
            #expect(unknown.usage.plan == "free" && unknown.planIsUnknown)
            try await client.send("HSET usage:{user_abc} plan nonsense")
            #expect(try await store.admit(Self.request(user)).usage.plan == "free")
        }
    }

    @Test func checkoutsCountButAreNotRefused() async throws {
        try await withStore { store, _ in
            let user = try Self.user("user_abc")
            for count in [1, 2, 3, 4, 5, 5, 5] {
                let decision = try await store.admit(Self.request(user, quotaPolicy: .countWhileSomeIsLeft))
                #expect(decision.outcome == .admitted)
                #expect(decision.usage.count == count)
            }
            #expect(try await store.admit(Self.request(user)).outcome == .quotaExceeded)
        }
    }

    @Test func damagedRecordsAreRepaired() async throws {
        try await withStore { store, client in
            let user = try Self.user("user_abc")
            try await client.send("HSET usage:{user_abc} usageCount many periodStart 2025-11-01")
            #expect(try await store.admit(Self.request(user)).usage.count == 1)
            try await client.send("SET usage:{user_def} text")
            await #expect(throws: StoreUnavailable.self) { try await store.admit(Self.request(Self.user("user_def"))) }
        }
    }

    @Test func scriptAgreesWithTheModelOnRandomHistories() async throws {
        let plans = try PlanTable([
            Plan(name: "free", quota: 7, ratePerMinute: 4), Plan(name: "paid", quota: 30, ratePerMinute: 6),
            Plan(name: "none", quota: 0, ratePerMinute: 0),
        ])
        try await withStore(plans: plans, pastDueGraceSeconds: 3) { store, client in
            var random = SeededGenerator(seed: 42)
            var model = AdmissionModel(plans: plans, pastDueGraceSeconds: 3)
            let subscriptions = RedisSubscriptionStore(client: client)
            var time = UnixTime(seconds: 1_764_500_000)
            let users = try (0..<12).map { try Self.user("user_\($0)") }
            var graces = 0
            for step in 0..<3000 {
                time = time.adding(seconds: [0, 0, 1, 5, 20, 300, 86_400, -30][Int.random(in: 0..<8, using: &random)])
                if step % 3 == 0, step > 500 {
                    try await bill(users, at: time, subscriptions, &model, using: &random)
                    graces += model.subscriptions.values.contains { $0.planAfterGrace != nil } ? 1 : 0
                }
                let request = try Self.randomRequest(users: users, at: time, using: &random)
                let onlyTells = Int.random(in: 0..<10, using: &random) == 0
                let expected = model.admit(request, onlyTells: onlyTells)
                let decision = try await onlyTells ? store.peek(request) : store.admit(request)
                guard decision == expected else {
                    Issue.record("step \(step): \(request): \(decision), not \(expected)")
                    return
                }
            }
            #expect(graces > 40, "one-sided: \(graces)")
        }
    }

    private static func randomRequest(
        users: [UserID], at time: UnixTime, using random: inout SeededGenerator
    ) throws -> AdmissionRequest {
        func one<Value>(of values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &random)] }
        let slow = try #require(RouteLimit(route: "slow", ratePerMinute: 2))
        let fast = try #require(RouteLimit(route: "fast", ratePerMinute: 5))
        return AdmissionRequest(
            principal: Principal(
                userID: one(of: users), claimedPlan: one(of: [nil, "free", "paid", "none", "gold"]),
                issuedAt: one(of: [nil] + [5, 4, 3, 0].map { time.adding(seconds: $0) })),
            time: time, cost: one(of: [1, 1, 1, 0, 3]), quotaPolicy: one(of: [.enforce, .countWhileSomeIsLeft]),
            routeLimit: one(of: [nil, nil, slow, fast]))
    }

    /// A subscription of one user is looked at, and perhaps Clerk is told of another.
    private func bill(
        _ users: [UserID], at time: UnixTime, _ store: RedisSubscriptionStore, _ model: inout AdmissionModel,
        using random: inout SeededGenerator
    ) async throws {
        let now = time.adding(seconds: -Int64.random(in: 0...3, using: &random))
        let buyer = users[Int.random(in: 0..<users.count, using: &random)]
        model.subscriptions[buyer] = try await store.take(
            .random(at: now, using: &random), for: buyer, at: now, plans: model.plans,
            pastDueGraceSeconds: model.pastDueGraceSeconds)
        let user = users[Int.random(in: 0..<users.count, using: &random)]
        if let record = model.subscriptions[user] {
            try await store.endClerkUpdate(of: user, token: "a", toldOf: record, at: now)
            model.subscriptions[user]?.clerkUpdatedAt = now
        }
    }

    @Test func concurrentCallersGetExactlyTheLimit() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 300, ratePerMinute: 1_000_000)])
        try await withStore(plans: plans) { store, client in
            let user = try Self.user("user_abc")
            let admitted = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<1000 {
                    group.addTask { try await store.admit(Self.request(user)).outcome == .admitted }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(admitted == 300)
            #expect(try await client.send("HGET usage:{user_abc} usageCount").string == "300")
        }
    }

    @Test func everyPlanOfTheLargestTableHasItsOwnLimits() async throws {
        // The fallback stands in the middle, and the highest limits are among them.
        let plans = (0..<PlanTable.maximumCount).map { place in
            Plan(
                name: place == 40 ? PlanTable.fallbackName : "plan-\(place)_x",
                quota: place == 63 ? Plan.maximumLimit : 1000 + place,
                ratePerMinute: place == 63 ? Plan.maximumLimit : 100 + place)
        }
        try await withStore(plans: try PlanTable(plans)) { store, _ in
            for plan in plans {
                let decision = try await store.admit(Self.request(Self.user("user_\(plan.name)"), plan: plan.name))
                #expect(decision.usage.plan == plan.name)
                #expect(decision.usage.limit == plan.quota)
                #expect(decision.rate.limit == plan.ratePerMinute)
                #expect(decision.outcome == .admitted && !decision.planIsUnknown)
            }
            let unknown = try await store.admit(Self.request(Self.user("user_unknown"), plan: "plan-0"))
            #expect(unknown.usage.plan == PlanTable.fallbackName && unknown.planIsUnknown)
        }
    }

    @Test func workersWithOtherPlansShareTheCounts() async throws {
        let larger = try PlanTable([Plan(name: "free", quota: 3, ratePerMinute: 100)])
        let smaller = try PlanTable([Plan(name: "free", quota: 2, ratePerMinute: 100)])
        try await withStore(plans: larger) { store, client in
            let other = RedisAdmissionStore(client: client, plans: smaller)
            let request = try Self.request(Self.user("user_abc"))
            #expect(try await store.admit(request).usage.count == 1)
            #expect(try await other.admit(request).usage.count == 2)
            #expect(try await other.admit(request).outcome == .quotaExceeded)
            #expect(try await store.admit(request).usage.count == 3)
            #expect(try await store.admit(request).outcome == .quotaExceeded)
        }
    }

    /// A command has as many words with 64 plans as with two.
    @Test func plansAreNotSentWithCalls() async throws {
        var lengths: [Int64] = []
        for count in [2, PlanTable.maximumCount] {
            let plans = (0..<count).map { place in
                Plan(name: place == 0 ? "free" : "plan_\(place)", quota: 5, ratePerMinute: 100)
            }
            try await withStore(plans: try PlanTable(plans)) { store, client in
                let request = try Self.request(Self.user("user_abc"))
                _ = try await store.admit(request)
                func bytesSoFar() async throws -> Int64 {
                    let text = try await client.send("INFO stats").string ?? ""
                    let line = text.split(whereSeparator: \.isNewline)
                        .first { $0.hasPrefix("total_net_input_bytes:") }
                    return try #require(line.flatMap { Int64($0.dropFirst("total_net_input_bytes:".count)) })
                }
                let before = try await bytesSoFar()
                _ = try await store.admit(request)
                lengths.append(try await bytesSoFar() - before)
            }
        }
        #expect(lengths[0] == lengths[1] && lengths[0] > 100, "\(lengths)")
    }

    @Test func oneCommandDecides() async throws {
        try await withStore { store, client in
            _ = try await store.admit(Self.request(Self.user("warm")))
            try await client.send("CONFIG RESETSTAT")
            try await client.send("HSET subscription:{user_1} plan paid status active")
            for number in 0..<50 { _ = try await store.admit(Self.request(Self.user("user_\(number)"))) }
            #expect(try await client.calls(of: "evalsha") == 50)
            #expect(try await client.calls(of: "eval") == 0)
        }
    }
}

@Suite struct RedisClockTests {
    @Test func workersGoByTheClockOfRedis() async throws {
        try await withRedis { server in
            try await withRedisClient(server.configuration) { client in
                let wrong = ManualTime(UnixTime(seconds: 1_000_000))
                let uptime = Atomic<Int64>(5000)
                let clock = RedisClock(systemClock: wrong) { uptime.load(ordering: .relaxed) }
                #expect(clock.now() == wrong.now() && !clock.isKnown && clock.wallClockAheadMilliseconds == nil)
                #expect(await clock.synchronize(with: client))
                let parts = try await client.send("TIME").array?.compactMap(\.string)
                let redisTime = try #require(parts.flatMap { Int64($0[0]) })
                #expect((0...2).contains(redisTime - clock.now().seconds))
                #expect(clock.isKnown)
                wrong.advance(seconds: 1_000_000)
                #expect((0...2).contains(clock.now().seconds - redisTime), "the wall clock counts no more")
                let ahead = try #require(clock.wallClockAheadMilliseconds)
                #expect(abs(ahead - (2_000_000 - redisTime) * 1000) < 3000)
                uptime.store(105_000, ordering: .relaxed)
                #expect((98...102).contains(clock.now().seconds - redisTime), "carries on between two looks")
                await server.kill()
                #expect(await clock.synchronize(with: client) == false)
                #expect((98...102).contains(clock.now().seconds - redisTime), "keeps its time while Redis is away")
            }
        }
    }
}

/// The same numbers in every run (splitmix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
