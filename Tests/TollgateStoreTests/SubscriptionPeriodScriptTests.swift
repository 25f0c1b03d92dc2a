import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

/// Quotas that run with the subscription, as the scripts see them: the same periods as the model's, and one count for each.
@Suite(.timeLimit(.minutes(5))) struct SubscriptionPeriodScriptTests {
    private static let usage = "usage:{user_abc}"
    private static let grace = PlanResolution.standardPastDueGraceSeconds

    private static func plans() throws -> PlanTable {
        try PlanTable([
            Plan(name: "free", quota: 5, ratePerMinute: 100_000), Plan(name: "paid", quota: 60, ratePerMinute: 100_000),
            Plan(name: "pro", quota: 120, ratePerMinute: 100_000, period: .subscription),
            Plan(name: "max", quota: 400, ratePerMinute: 100_000, period: .subscription),
        ])
    }

    private static func moment(_ text: String) throws -> UnixTime { try #require(UnixTime(iso8601: text)) }

    private static func span(_ start: String, _ end: String) throws -> SubscriptionPeriod {
        SubscriptionPeriod(start: try moment(start), end: try moment(end))
    }

    private func withGateway(_ body: (KeyGateway, RedisSubscriptionStore) async throws -> Void) async throws {
        try await KeyGateway.run(plans: try Self.plans()) { gateway in
            try await body(gateway, RedisSubscriptionStore(client: gateway.client))
        }
    }

    // MARK: Against the model

    /// What counts, written down a second time: a count for each period, for ever.
    private struct Model {
        /// What a period is known by.
        private struct Start: Hashable {
            let kind: BillingPeriod.Kind
            let moment: UnixTime

            init(_ period: BillingPeriod) { (kind, moment) = (period.kind, period.start) }
        }

        let plans: PlanTable
        var record: SubscriptionRecord?
        var lastSeen: String?
        private var counts: [Start: Int] = [:]
        private(set) var period: BillingPeriod?

        init(plans: PlanTable) { self.plans = plans }

        mutating func admit(claimed: String?, issuedAt: UnixTime?, cost: Int, at time: UnixTime) -> Verdict {
            let wanted = PlanResolution.resolve(
                record: record, claimedPlan: claimed, claimIssuedAt: issuedAt, lastSeen: lastSeen, now: time)
            let plan = plans[wanted] ?? plans.fallback
            let period = BillingPeriod(of: plan, record, at: time, pastDueGraceSeconds: grace)
            var count = counts[Start(period)] ?? 0
            let fits = count + cost <= plan.quota
            if fits {
                count += cost
                counts[Start(period)] = count
                lastSeen = plan.name
                self.period = period
            }
            return Verdict(isAdmitted: fits, count: count, plan: plan.name, limit: plan.quota, period: period)
        }

        mutating func giveBack(_ calls: Int, of period: BillingPeriod) { counts[Start(period), default: 0] -= calls }
    }

    private struct Verdict: Hashable {
        let isAdmitted: Bool
        let count: Int
        let plan: String
        let limit: Int
        let period: BillingPeriod
    }

    @Test(arguments: UInt64(1)...6) func countsAreThoseOfTheModel(seed: UInt64) async throws {
        try await withGateway { gateway, subscriptions in
            var random = SeededGenerator(seed: seed)
            func one<Value>(of values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &random)] }
            let plans = try Self.plans()
            var model = Model(plans: plans)
            // 2025-11-26T23:00:00Z
            var time = KeyGateway.time
            var lives: [String: Subscription] = [:]
            var open: [(Reservation, BillingPeriod, end: UnixTime)] = []
            var (kinds, nextID) = (Set<BillingPeriod.Kind>(), 0)
            for step in 1...2500 {
                switch Int.random(in: 0..<100, using: &random) {
                case 0..<70:
                    // Nobody settles what has waited for so long.
                    for entry in open where entry.end <= time { model.giveBack(entry.0.calls, of: entry.1) }
                    open.removeAll { $0.end <= time }
                    nextID += 1
                    let claimed = one(of: [nil, nil, "pro", "paid"])
                    let issuedAt = claimed.map { _ in time.adding(seconds: one(of: [-100_000, 0])) }
                    let (cost, holds) = (one(of: [1, 1, 2, 5]), one(of: [true, false, false]))
                    let request = AdmissionRequest(
                        principal: Principal(userID: gateway.user, claimedPlan: claimed, issuedAt: issuedAt),
                        time: time, cost: cost,
                        reservation: holds ? Reservation.Request(id: "r\(nextID)", leaseSeconds: 3600) : nil)
                    let store = one(of: [gateway.admissions, gateway.otherAdmissions])
                    let decision = try await store.admit(request)
                    let expected = model.admit(claimed: claimed, issuedAt: issuedAt, cost: cost, at: time)
                    let usage = decision.usage
                    let verdict = Verdict(
                        isAdmitted: decision.outcome == .admitted, count: usage.count, plan: usage.plan,
                        limit: usage.limit, period: usage.period)
                    #expect(verdict == expected, "step \(step) at \(time.iso8601), \(model.record.debugDescription)")
                    #expect(decision.oddities.names.isEmpty)
                    guard verdict == expected else { return }
                    kinds.insert(usage.period.kind)
                    if let held = decision.reservation {
                        open.append((held, usage.period, time.adding(seconds: 3600)))
                    }
                case 70..<78:
                    guard let place = open.indices.randomElement(using: &random) else { continue }
                    let (held, period, _) = open.remove(at: place)
                    let outcome = one(of: [Reservation.Outcome.keep, .giveBack])
                    try await gateway.otherAdmissions.settle(held, as: outcome)
                    if outcome == .giveBack { model.giveBack(held.calls, of: period) }
                case 78..<92: time = time.adding(seconds: one(of: [7, 3600, 40_000, 5 * 86_400, 9 * 86_400]))
                default:
                    let id = one(of: ["sub_1", "sub_2"])
                    let seen = Self.next(lives[id], id: id, at: time, using: &random)
                    lives[id] = seen.status.isFinal ? nil : seen
                    model.record = try await subscriptions.take(seen, for: gateway.user, at: time, plans: plans)
                    if one(of: [true, false]) {
                        try await subscriptions.endClerkUpdate(
                            of: gateway.user, token: "a", toldOf: model.record, at: time)
                        model.record = try await subscriptions.record(of: gateway.user)
                    }
                }
                if step.isMultiple(of: 50), let period = model.period {
                    let fields = try await gateway.hash(Self.usage)
                    let start = period.kind == .calendar ? period.firstDay.description : period.start.iso8601
                    let end = period.kind == .calendar ? period.lastDay.description : period.end.iso8601
                    #expect(fields["periodStart"] == start && fields["periodEnd"] == end, "\(fields)")
                    #expect((fields["otherPeriods"] ?? "").split(separator: " ").count <= 6)
                }
            }
            #expect(kinds.count == 2, "one-sided")
        }
    }

    /// What becomes of a subscription: bought, renewed in time, late or not at all, changed, ended.
    private static func next(
        _ known: Subscription?, id: String, at time: UnixTime, using random: inout SeededGenerator
    ) -> Subscription {
        func one<Value>(of values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &random)] }
        let months = one(of: [1, 1, 1, 3, 12])
        guard var seen = known else {
            let anchor = time.adding(seconds: -one(of: [0, 0, 3, 40 * 86_400]))
            return Subscription(
                // An end is final, so each has its own id.
                id: "\(id)_\(time.seconds)", customerID: "cus_1", status: one(of: [.active, .active, .trialing]),
                plan: one(of: ["paid", "pro", "max"]), startedAt: time,
                period: SubscriptionPeriod(start: time, end: time.adding(months: months), anchor: anchor),
                seenAt: time)
        }
        seen.seenAt = time
        switch one(of: ["plan", "plan", "renew", "renew", "renew", "owe", "end", "unpaid"]) {
        case "plan": seen.plan = one(of: ["paid", "pro", "max"])
        case "owe": (seen.status, seen.pastDueSince) = (.pastDue, time)
        case "end": (seen.status, seen.pastDueSince) = (.canceled, nil)
        case "unpaid": (seen.status, seen.pastDueSince) = (.unpaid, nil)
        default:
            (seen.status, seen.pastDueSince) = (.active, nil)
            while let period = seen.period, period.end <= time {
                seen.period = SubscriptionPeriod(
                    start: period.end, end: period.end.adding(months: months), anchor: period.anchor)
            }
        }
        return seen
    }

    // MARK: What it costs

    /// Of Redis, in the steady state: a user who goes by the calendar, and one who goes by a subscription.
    @Test func aPeriodOfTheSubscriptionCostsNoCommandMore() async throws {
        try await withGateway { gateway, subscriptions in
            let month = RedisAdmissionStore(client: gateway.client, plans: .standard)
            func commands(_ store: RedisAdmissionStore) async throws -> Int {
                let request = AdmissionRequest(principal: Principal(userID: gateway.user), time: KeyGateway.time)
                _ = try await store.admit(request)
                let names = ["hmget", "hget", "hset", "get", "incr", "hincrby", "expire", "time", "hdel", "zrange"]
                try await gateway.client.send("CONFIG RESETSTAT")
                _ = try await store.admit(request)
                var sum = 0
                for name in names { sum += try await gateway.client.calls(of: name) }
                return sum
            }
            let before = try await commands(month)
            #expect(before > 3)
            #expect(try await commands(gateway.admissions) == before, "a plan of the calendar beside others")
            for period in [SubscriptionPeriod(start: KeyGateway.time, end: KeyGateway.time.adding(months: 1))]
                + [SubscriptionPeriod(start: KeyGateway.time, end: KeyGateway.time.adding(months: 12))]
            {
                var seen = Subscription.example(plan: "pro", at: KeyGateway.time)
                seen.period = period
                try await subscriptions.take(seen, for: gateway.user, at: KeyGateway.time, plans: try Self.plans())
                #expect(try await commands(gateway.admissions) == before)
            }
        }
    }

    // MARK: The record

    @Test func recordsAreReadable() async throws {
        try await withGateway { gateway, subscriptions in
            _ = try await gateway.admit()
            var seen = Subscription.example(plan: "pro", at: KeyGateway.time)
            seen.period = try Self.span("2025-11-26T20:46:40Z", "2025-12-26T20:46:40Z")
            try await subscriptions.take(seen, for: gateway.user, at: KeyGateway.time, plans: try Self.plans())
            for count in 1...2 {
                let decision = try await gateway.admit(after: 1)
                #expect(decision.usage.count == count && decision.usage.plan == "pro")
                #expect(decision.usage.secondsUntilReset(at: KeyGateway.time) == 2_584_000)
            }
            #expect(
                try await gateway.hash(Self.usage) == [
                    "usageCount": "2", "plan": "pro", "lastUpdated": "2025-11-26T23:00:01Z",
                    "periodStart": "2025-11-26T20:46:40Z", "periodEnd": "2025-12-26T20:46:40Z",
                    "previousPeriodStart": "2025-11-01", "previousUsageCount": "1",
                ])
            let life = try await gateway.client.send("TTL \(Self.usage)").integer ?? 0
            // To the month's end, twice a month, and the grace.
            #expect(life > 72 * 86_400 && life <= 74 * 86_400, "\(life / 86_400)")
            // The month, then the renewal: three periods are known.
            try await gateway.client.send("HSET subscription:{user_abc} plan paid")
            let month = try await gateway.admit(after: 2)
            #expect(month.usage.count == 2 && month.usage.period.kind == .calendar && month.usage.limit == 60)
            try await gateway.client.send(
                "HSET subscription:{user_abc} plan max periodStart 2025-11-26T23:00:02Z periodEnd 2025-12-26T23:00:02Z")
            let anew = try await gateway.admit(after: 3)
            #expect(anew.usage.count == 1 && anew.usage.limit == 400)
            let fields = try await gateway.hash(Self.usage)
            #expect(fields["otherPeriods"] == "2025-11-26T20:46:40Z=2", "\(fields)")
            #expect(fields["previousPeriodStart"] == "2025-11-01" && fields["previousUsageCount"] == "2")
        }
    }

    /// What a person or an older version has written in another form is no period: the month counts.
    @Test(arguments: [
        "periodStart 2025-11-26", "periodEnd soon", "periodStart 2026-11-26T20:46:40Z",
        "periodEnd 2025-11-26T20:46:40Z",
    ])
    func aSpanThatIsNoneIsNotCounted(fields: String) async throws {
        try await withGateway { gateway, _ in
            try await gateway.client.send(
                "HSET subscription:{user_abc} plan pro status active periodStart 2025-11-26T20:46:40Z periodEnd "
                    + "2025-12-26T20:46:40Z")
            #expect(try await gateway.admit().usage.period.kind == .subscription)
            try await gateway.client.send("HSET subscription:{user_abc} \(fields)")
            let decision = try await gateway.admit()
            #expect(decision.usage.period == BillingPeriod(containing: KeyGateway.time) && decision.usage.plan == "pro")
            #expect(decision.usage.count == 1 && decision.oddities.names.isEmpty)
        }
    }

    /// The same span, of which another end is known now: a trial that was prolonged.
    @Test func anEndThatMovesMovesTheReset() async throws {
        try await withGateway { gateway, _ in
            let record =
                "HSET subscription:{user_abc} plan pro status trialing periodStart 2025-11-26T20:46:40Z periodEnd "
            for (number, end) in ["2025-12-03T20:46:40Z", "2025-12-10T20:46:40Z"].enumerated() {
                try await gateway.client.send(record + end)
                let decision = try await gateway.admit()
                #expect(decision.usage.count == number + 1 && decision.usage.period.end.iso8601 == end)
                #expect(try await gateway.hash(Self.usage)["periodEnd"] == end)
            }
        }
    }

    /// A worker with an older file beside ours, which goes by the calendar: no call is lost, and none is free.
    @Test func workersWithOtherPeriodsKeepEachTheirCount() async throws {
        try await withGateway { gateway, _ in
            let plans = try Self.plans().plans.map {
                Plan(name: $0.name, quota: $0.quota, ratePerMinute: $0.ratePerMinute)
            }
            let older = RedisAdmissionStore(client: gateway.otherClient, plans: try PlanTable(plans))
            try await gateway.client.send(
                "HSET subscription:{user_abc} plan pro status active periodStart 2025-11-26T20:46:40Z periodEnd "
                    + "2025-12-26T20:46:40Z")
            let request = AdmissionRequest(principal: Principal(userID: gateway.user), time: KeyGateway.time)
            for count in 1...4 {
                #expect(try await gateway.admissions.admit(request).usage.count == count)
                #expect(try await older.admit(request).usage.count == count)
            }
        }
    }

    // MARK: Calls that passed while Redis was away

    /// A call of each day is booked to the period in which it would have been admitted.
    @Test func whatPassedIsBookedToItsPeriod() async throws {
        try await withGateway { gateway, _ in
            let record = "HSET subscription:{user_abc} plan pro status active periodStart "
            try await gateway.client.send(record + "2025-10-20T12:00:00Z periodEnd 2025-11-20T12:00:00Z")
            _ = try await gateway.admit(after: -7 * 86_400)
            let days = [19, 20, 21, 26].map { CalendarDay(year: 2025, month: 11, day: $0) }
            // Renewed meanwhile.
            try await gateway.client.send(record + "2025-11-20T12:00:00Z periodEnd 2025-12-20T12:00:00Z")
            try await gateway.book(days.enumerated().map { ($1, "search", $0 == 0 ? 10 : 1) })
            var fields = try await gateway.hash(Self.usage)
            #expect(fields["usageCount"] == "3" && fields["periodStart"] == "2025-11-20T12:00:00Z", "\(fields)")
            #expect(fields["periodEnd"] == "2025-12-20T12:00:00Z")
            #expect(fields["previousUsageCount"] == "11" && fields["previousPeriodStart"] == "2025-10-20T12:00:00Z")
            #expect(try await gateway.admit().usage.count == 4)
            // Those of an earlier day come late.
            try await gateway.book([(days[0], "search", 5)], number: 2)
            fields = try await gateway.hash(Self.usage)
            #expect(fields["usageCount"] == "4" && fields["previousUsageCount"] == "16", "\(fields)")
        }
    }

    /// Whoever goes by the calendar now, and by a subscription before.
    @Test func bookingAMonthKeepsTheSubscriptionsCount() async throws {
        try await withGateway { gateway, _ in
            try await gateway.writeUsage([
                "periodStart": "2025-10-01", "periodEnd": "2025-10-31", "usageCount": "7",
                "previousPeriodStart": "2025-10-30T00:00:00Z", "previousUsageCount": "9",
            ])
            try await gateway.book([(CalendarDay(containing: KeyGateway.time), "search", 1)])
            let fields = try await gateway.hash(Self.usage)
            #expect(fields["usageCount"] == "1" && fields["previousUsageCount"] == "7", "\(fields)")
            #expect(fields["otherPeriods"] == "2025-10-30T00:00:00Z=9")
        }
    }
}
