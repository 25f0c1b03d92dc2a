import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// What operators decide, as it is written and as `admit.lua` reads it.
@Suite struct OperatorTermsTests {
    private static let time = UnixTime(seconds: 1_764_198_000)
    private static let plans = PlanTable.standard

    private func withStores(
        _ body: (RedisAdmissionStore, RedisOperatorStore, RedisClient) async throws -> Void
    ) async throws {
        try await withRedis { redis in
            try await withRedisClient(redis.configuration) { client in
                try await body(
                    RedisAdmissionStore(client: client, plans: Self.plans), RedisOperatorStore(client: client), client)
            }
        }
    }

    private static func randomTerms(using random: inout SeededGenerator) -> OperatorTerms {
        func one<Value>(of values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &random)] }
        let moments: [UnixTime?] = [nil, time, time.adding(seconds: 1), time.adding(seconds: -1)]
        let reason = OperatorReason("why / not = 100 % é")
        var limits: OperatorTerms.Limits?
        if Bool.random(using: &random) {
            limits = OperatorTerms.Limits(
                plan: one(of: [nil, "paid", "free"]), quota: one(of: [nil, 0, 7, 1000]),
                ratePerMinute: one(of: [nil, 0, 3, 900]), until: one(of: moments), reason: one(of: [nil, reason]))
            if limits?.plan == nil, limits?.quota == nil, limits?.ratePerMinute == nil { limits = nil }
        }
        let grants = (0..<Int.random(in: 0...4, using: &random)).map { number in
            OperatorTerms.Grant(
                id: "a\(number)", calls: one(of: [1, 5, 100]), period: one(of: [nil, "2025-11-01", "2025-10-01"]),
                until: one(of: moments), reason: one(of: [nil, reason]))
        }
        let block = reason.flatMap {
            one(of: [nil, nil, nil, OperatorTerms.Block(reason: $0, since: time.adding(seconds: -60))])
        }
        return OperatorTerms(block: block, limits: limits, grants: grants)
    }

    /// Whatever is decided is read back, and counts as the model says.
    @Test func theScriptAgrees() async throws {
        try await withStores { admissions, operators, _ in
            var random = SeededGenerator(seed: 18)
            for step in 0..<300 {
                let user = try #require(UserID("user_\(step)"))
                let terms = Self.randomTerms(using: &random)
                _ = try await operators.change(user) { $0 = terms }
                #expect(try await operators.terms(of: user) == terms, "step \(step)")
                let limits = terms.limits.flatMap { $0.counts(at: Self.time) ? $0 : nil }
                let plan = try #require(Self.plans[limits?.plan ?? "free"])
                let granted = terms.grantedCalls(in: "2025-11-01", at: Self.time)
                for onlyTells in [true, false] {
                    let request = AdmissionRequest(principal: Principal(userID: user), time: Self.time)
                    let decision =
                        onlyTells ? try await admissions.peek(request) : try await admissions.admit(request)
                    if let block = terms.block {
                        #expect(decision.outcome == .userBlocked && decision.blockReason == block.reason, "\(step)")
                        continue
                    }
                    #expect(decision.usage.plan == plan.name, "step \(step): \(terms)")
                    #expect(decision.usage.limit == (limits?.quota ?? plan.quota) + granted, "step \(step): \(terms)")
                    #expect(decision.usage.granted == granted, "step \(step): \(terms)")
                    #expect(decision.rate.limit == limits?.ratePerMinute ?? plan.ratePerMinute, "step \(step)")
                    let passes = decision.usage.limit > 0 && decision.rate.limit > 0
                    #expect((decision.outcome == .admitted) == passes, "step \(step): \(decision)")
                }
            }
        }
    }

    /// Operators read and write Redis by hand as well.
    @Test(arguments: [
        "", "=", "block", "block=", "grant=", "grant=x/1", "grant=a/1e9/*/-/-", "quota=-1", "quota=1e3", "rate=x",
        "until=never quota=1", "plan=no_such_plan", "grant=a/99999999999999999999/*/-/-", "block=x/%ZZ",
    ])
    func whatIsOddKeepsNoCallUp(words: String) async throws {
        try await withStores { admissions, _, redis in
            let user = try #require(UserID("user_abc"))
            _ = try await redis.execute(
                RedisCommand(arguments: ["HSET", "subscription:{user_abc}", "operator", words]))
            let decision = try await admissions.admit(
                AdmissionRequest(principal: Principal(userID: user), time: Self.time))
            #expect(decision.outcome == (words.hasPrefix("block=x/") ? .userBlocked : .admitted), "\(decision)")
        }
    }

    /// Whatever words people have written by hand, commands show what admissions go by.
    @Test func wordsWrittenByHandAreReadAlike() async throws {
        let words = [
            "block=/x", "block=2025-11-01/", "block=abuse", "block=a/b/c", "plan=paid", "plan=Paid", "plan=free",
            "plan=",
            "quota=5", "quota=+7", "quota=9x", "quota=0012", "quota=", "rate=3", "rate= 4", "rate=99999999999999999999",
            "until=2025-11-26", "until=2025-11-25", "until=2025-11-27", "until=never", "until=",
            "until=2025-11-26T23:00:00Z",
            "until=2025-11-26T23:00:00Z/", "grant=a/5/*/-/-", "grant=b/6/2025-11-01/-/-", "grant=c/7/*/2025-11-26/-",
            "grant=d/8/*/never/-", "grant=e/9/*/-", "grant=/10/*/-/-", "grant=f/+11/*/-/-", "grant=g/12/*/-/-/-",
            "quota=9007199254740991", "quota=9007199254740992", "rate=9007199254740993", "plan=gone",
            "grant=l/9007199254740992/*/-/-", "grant=m/1/*/-/%2D", "grant=h-i/13/*/-/-", "grant=j/14/*//-",
            "grant=k/15/*/-/", "why=x", "nothing", "=", "\t", "",
        ]
        try await withStores { admissions, operators, redis in
            var random = SeededGenerator(seed: 19)
            for step in 0..<1500 {
                let user = try #require(UserID("user_\(step)"))
                let count = step < words.count ? 1 : Int.random(in: 0...12, using: &random)
                let chosen = (0..<count).map { _ in
                    step < words.count ? words[step] : words[Int.random(in: 0..<words.count, using: &random)]
                }
                let text = chosen.joined(separator: " ")
                _ = try await redis.execute(
                    RedisCommand(arguments: ["HSET", "subscription:{\(user)}", "operator", text]))
                let terms = try await operators.terms(of: user)
                let limits = terms.limits.flatMap { $0.counts(at: Self.time) ? $0 : nil }
                let plan = terms.plan(among: Self.plans, at: Self.time) ?? Self.plans.fallback
                let decision = try await admissions.admit(
                    AdmissionRequest(principal: Principal(userID: user), time: Self.time))
                #expect((decision.outcome == .userBlocked) == (terms.block != nil), "'\(text)'")
                guard terms.block == nil else { continue }
                #expect(decision.usage.plan == plan.name, "'\(text)'")
                #expect(decision.usage.granted == terms.grantedCalls(in: "2025-11-01", at: Self.time), "'\(text)'")
                let quota = min(terms.quota(of: plan, in: "2025-11-01", at: Self.time), Plan.maximumLimit)
                #expect(decision.usage.limit == quota, "'\(text)'")
                #expect(decision.rate.limit == limits?.ratePerMinute ?? plan.ratePerMinute, "'\(text)'")
            }
        }
    }

    /// Bytes that are no text keep no operator from deciding.
    @Test func bytesThatAreNoTextAreReplaced() async throws {
        try await withStores { admissions, operators, redis in
            let user = try #require(UserID("user_abc"))
            var command = RedisCommand("HSET", "subscription:{user_abc}", "operator")
            command.append(Array("block=2025-11-01T00:00:00Z/".utf8) + [0xFF, 0xFE])
            _ = try await redis.execute(command)
            let request = AdmissionRequest(principal: Principal(userID: user), time: Self.time)
            #expect(try await admissions.admit(request).outcome == .userBlocked)
            #expect(try await operators.terms(of: user).block != nil)
            #expect(try await RedisUserData(client: redis).summaries(of: [user])[0].terms.block != nil)
            _ = try await RedisSubscriptionStore(client: redis).purchases(of: user)
            _ = try await operators.change(user) { $0.block = nil }
            #expect(try await admissions.admit(request).outcome == .admitted)
        }
    }

    /// A reason is one line that moves nothing beside it, and each that is one comes back as it was.
    @Test func reasonsAreOneLine() async throws {
        for text in ["", "a\nb", "a\u{2028}b", "a\u{202E}b", "a\u{0}"] { #expect(OperatorReason(text) == nil) }
        try await withStores { _, operators, _ in
            for text in ["-", "%2D", "a b", "👩‍👧 é / = %"] {
                let (user, reason) = (try #require(UserID("user_abc")), try #require(OperatorReason(text)))
                let grant = OperatorTerms.Grant(id: "a1", calls: 1, period: nil, until: nil, reason: reason)
                _ = try await operators.change(user) { $0 = OperatorTerms(grants: [grant]) }
                #expect(try await operators.terms(of: user).grants == [grant], "'\(text)'")
            }
        }
    }

    @Test func twoOperatorsAtOnceLoseNothing() async throws {
        try await withStores { _, operators, _ in
            let user = try #require(UserID("user_abc"))
            try await withThrowingTaskGroup { tasks in
                for number in 0..<6 {
                    tasks.addTask {
                        let grant = OperatorTerms.Grant(
                            id: "a\(number)", calls: 1, period: nil, until: nil, reason: nil)
                        _ = try await operators.change(user) {
                            _ = $0.add(grant, in: "2025-11-01", at: Self.time)
                        }
                    }
                }
                try await tasks.waitForAll()
            }
            #expect(try await operators.terms(of: user).grants.count == 6)
        }
    }
}
