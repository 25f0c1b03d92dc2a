import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// Workers of the previous release and of this one on one Redis, as in a rolling upgrade: each goes on with what the other
/// has written. Nothing is lost, nothing is counted twice, and no limit is exceeded.
@Suite(.timeLimit(.minutes(6))) struct TwoVersionsTests {
    private static let plans = [
        Plan(name: "free", quota: 15, ratePerMinute: 12), Plan(name: "paid", quota: 60, ratePerMinute: 30),
    ]

    @Test func eitherGoesOnWithWhatTheOtherHasWritten() async throws {
        var seen: [AdmissionDecision.Outcome: Int] = [:]
        var backToTheMonthBefore = 0
        for seed: UInt64 in 1...4 {
            try await KeyGateway.run { gateway in
                var history = try await History(seed: seed, gateway: gateway, plans: try PlanTable(Self.plans))
                for step in 1...2000 {
                    try await history.step()
                    if step % 50 == 0 {
                        guard try await history.isRight(step: step) else { return }
                    }
                }
                seen.merge(history.seen, uniquingKeysWith: +)
                backToTheMonthBefore += history.backToTheMonthBefore
            }
        }
        #expect(seen.count == 6 && seen.values.allSatisfy { $0 > 20 }, "one-sided: \(seen)")
        #expect(backToTheMonthBefore > 3, "one-sided")
    }

    /// One user's life. The model is that of one release; what the previous one does not do is undone in it.
    private struct History {
        private var random: SeededGenerator
        private let gateway: KeyGateway
        private let plans: PlanTable
        private let workers: [any AdmittingWorker]
        private let key: APIKey
        private var model = BooksModel()
        private var time = KeyGateway.time
        private var open: [Reservation] = []
        private var latestEnd: Int64 = 0
        private var nextID = 0
        private(set) var seen: [AdmissionDecision.Outcome: Int] = [:]
        private(set) var backToTheMonthBefore = 0
        private var log: [String] = []

        init(seed: UInt64, gateway: KeyGateway, plans: PlanTable) async throws {
            random = SeededGenerator(seed: seed)
            self.gateway = gateway
            self.plans = plans
            workers = [
                PreviousReleaseWorker(client: gateway.client, plans: plans),
                RedisAdmissionStore(client: gateway.client, plans: plans),
            ]
            key = try await gateway.makeKey().key
        }

        private mutating func one<Value>(of values: [Value]) -> Value {
            values[Int.random(in: 0..<values.count, using: &random)]
        }

        mutating func step() async throws {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<62: try await admit()
            case 62..<80: try await settle()
            case 80..<84: try await renew()
            // A worker dies with all that it holds.
            case 84: open.removeAll { $0.id.hasSuffix(nextID.isMultiple(of: 2) ? "0" : "1") }
            case 85..<96: time = time.adding(seconds: one(of: [0, 1, 2, 5, 20, 61]))
            case 96..<98: time = time.adding(seconds: one(of: [200, 3600, 86_400, -20]))
            default:
                // To the last seconds of the month: what is reserved in them ends in the next.
                let monthsEnd = BillingPeriod(containing: time).end.seconds - time.seconds
                time = time.adding(seconds: max(0, monthsEnd - 3))
            }
        }

        /// Any of the two. The previous release does not know of the month before: it neither keeps its count nor corrects
        /// it.
        private mutating func withAnyWorker<Value>(
            _ predict: (inout BooksModel) -> Value, _ act: (any AdmittingWorker) async throws -> Value
        ) async throws -> (predicted: Value, happened: Value) {
            let place = one(of: [0, 1])
            let before = model.record?.previous
            let predicted = predict(&model)
            if place == 0 {
                model.record?.previous = before
            } else if let before, let after = model.record?.previous, after.period == before.period {
                backToTheMonthBefore += after.count < before.count ? 1 : 0
            }
            log.append(place == 0 ? "previous" : "present")
            return (predicted, try await act(workers[place]))
        }

        private mutating func admit() async throws {
            nextID += 1
            let name = one(of: [nil, nil, "a", "b", "c"])
            let wish =
                one(of: [true, true, false])
                ? Reservation.Request(
                    id: "r\(nextID)-\(nextID % 2)", leaseSeconds: one(of: [3, 60, 600]),
                    givesBack: one(of: [true, true, false])) : nil
            let claimed = one(of: ["free", "free", "paid"])
            let principal =
                one(of: [true, false]) ? Principal(key) : Principal(userID: gateway.user, claimedPlan: claimed)
            let request = AdmissionRequest(
                principal: principal, time: time, cost: one(of: [1, 1, 1, 2, 0]), route: one(of: ["orders", "search"]),
                quotaPolicy: one(of: [.enforce, .enforce, .enforce, .countWhileSomeIsLeft]),
                idempotentCall: name.flatMap { IdempotentCall(key: $0, fingerprint: one(of: ["f", "f", "f", "g"])) },
                reservation: wish)
            var granted: Reservation?
            let (plans, verdict) = (plans, Verdicts())
            let (predicted, happened) = try await withAnyWorker {
                $0.admit(request, plans: plans)
            } _: { worker in
                let decision = try await worker.admit(request)
                granted = decision.reservation
                return verdict.of(decision)
            }
            #expect(happened == predicted, "\(time.iso8601) \(log.suffix(20))")
            log.append("\(happened.outcome) \(happened.count) \(wish?.id ?? "-") \(name ?? "-")")
            seen[happened.outcome, default: 0] += 1
            if let granted { open.append(granted) }
        }

        private struct Verdicts {
            func of(_ decision: AdmissionDecision) -> BooksModel.Verdict {
                BooksModel.Verdict(
                    outcome: decision.outcome, count: decision.usage.count, plan: decision.usage.plan,
                    isRepeat: decision.isRepeat, reserved: decision.reservation?.calls ?? 0)
            }
        }

        private mutating func settle() async throws {
            guard !open.isEmpty else { return }
            let reservation = open[Int.random(in: 0..<open.count, using: &random)]
            let answer = try #require(StoredAnswer(status: 200, head: [1], body: [2]))
            let outcome = one(of: [Reservation.Outcome.keep, .giveBack, .keepAndReplay(answer)])
            // Told again, perhaps to the other release, when the reply was lost.
            for _ in 0..<one(of: [1, 1, 2]) {
                let (predicted, happened) = try await withAnyWorker {
                    $0.settle(reservation, as: outcome)
                } _: {
                    try await $0.settle(reservation, as: outcome)
                }
                #expect(happened == predicted, "\(reservation.record) \(outcome) \(log.suffix(20))")
            }
            log.append("settled \(reservation.id)")
            open.removeAll { $0.id == reservation.id }
        }

        /// Always to a later end. The previous release does not say whether there was anything to renew.
        private mutating func renew() async throws {
            guard let reservation = open.randomElement(using: &random) else { return }
            latestEnd = max(latestEnd, time.seconds + 700) + 1
            let end = UnixTime(seconds: latestEnd)
            _ = try await withAnyWorker {
                $0.renew(reservation, until: end)
            } _: {
                try await $0.renew(reservation, until: end)
            }
            log.append("renewed \(reservation.id)")
        }

        // MARK: What stands in Redis

        func isRight(step: Int) async throws -> Bool {
            let (usage, record) = (try await gateway.hash("usage:{user_abc}"), model.record)
            let expected = [
                "usageCount": record.map { "\($0.count)" }, "plan": record?.plan,
                "periodStart": record?.period.firstDay.description, "periodEnd": record?.period.lastDay.description,
                "previousUsageCount": record?.previous.map { "\($0.count)" },
                "previousPeriodStart": record?.previous?.period.firstDay.description,
            ].compactMapValues(\.self)
            let written = usage.filter { $0.key != "lastUpdated" && $0.key != "reservedUntil" }
            #expect(written == expected, "step \(step): \(log.suffix(30))")

            var areDaysRight = true
            for (day, calls) in model.days {
                let booked = try await gateway.booked(on: day)
                if booked != calls.filter({ $0.value != 0 }).mapValues({ "\($0)" }) { areDaysRight = false }
            }
            #expect(areDaysRight, "step \(step)")

            // Where the releases book the calls of a day: 2025-11-2 26/search, and 2025-11-26 search.
            let members = (try await gateway.client.send("ZRANGE reservations:{user_abc} 0 -1 WITHSCORES").array ?? [])
                .map { $0.string?.replacing(#/(\d{4}-\d\d-)\d (\d\d)\//#) { "\($0.output.1)\($0.output.2) " } }
            let held = model.held.flatMap { id, held in
                [
                    "\(id) \(held.calls) \(held.period.firstDay) \(held.day) \(held.route)"
                        + (held.key.map { " \($0)" } ?? ""),
                    UnixTime(seconds: held.leaseEnd).iso8601.filter(\.isNumber),
                ]
            }
            let areReservationsRight = members.compactMap(\.self).sorted() == held.sorted()
            #expect(areReservationsRight, "step \(step): \(members), not \(held) \(log.suffix(30))")
            return written == expected && areDaysRight && areReservationsRight
        }
    }

    // MARK: At the same time

    /// Of calls that come together, each is charged once, or given back once, whichever release it has met.
    @Test func callsThatComeTogetherAreCountedOnce() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 120, ratePerMinute: 100_000)])
        try await withWorkers(plans) { workers, gateway in
            let kept = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<400 {
                    let (one, other) = (workers[number % 4], workers[number / 4 % 4])
                    let request = AdmissionRequest(
                        principal: Principal(userID: gateway.user), time: KeyGateway.time, cost: 1 + number % 2,
                        route: number % 3 == 0 ? "orders" : "search",
                        reservation: Reservation.Request(id: "r\(number)", leaseSeconds: 600))
                    group.addTask {
                        let decision = try await one.admit(request)
                        #expect(decision.usage.count <= 120)
                        guard decision.outcome == .admitted else { return 0 }
                        let reservation = try #require(decision.reservation)
                        #expect(try await other.settle(reservation, as: number % 5 < 2 ? .keep : .giveBack))
                        #expect(try await one.settle(reservation, as: .keep) == false)
                        return number % 5 < 2 ? request.cost : 0
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(kept > 20 && kept <= 120)
            #expect(try await gateway.count() == kept)
            let booked = try await gateway.booked(on: CalendarDay(containing: KeyGateway.time)).values.compactMap {
                Int($0)
            }
            #expect(booked.reduce(0, +) == kept)
            #expect(try await gateway.client.send("EXISTS reservations:{user_abc}").integer == 0)
        }
    }

    @Test func limitsHoldForAllTogether() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 100, ratePerMinute: 70)])
        try await withWorkers(plans) { workers, gateway in
            let route = try #require(RouteLimit(route: "search", ratePerMinute: 45))
            func admitted(after seconds: Int64, _ limit: RouteLimit?) async throws -> Int {
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    for number in 0..<160 {
                        let request = AdmissionRequest(
                            principal: Principal(userID: gateway.user), time: KeyGateway.time.adding(seconds: seconds),
                            routeLimit: limit)
                        group.addTask { try await workers[number % 4].admit(request).outcome == .admitted }
                    }
                    return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                }
            }
            #expect(try await admitted(after: 0, route) == 45)
            #expect(try await admitted(after: 60, nil) == 55, "the rest of the quota")
            #expect(try await gateway.count() == 100)
            #expect(try await admitted(after: 6 * 86_400, nil) == 70, "another month, and the rate of a minute")
        }
    }

    /// A call that may be repeated is paid once, whichever versions its attempts have met.
    @Test func repeatsArePaidOnce() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 100_000, ratePerMinute: 100_000)])
        try await withWorkers(plans) { workers, gateway in
            let answer = try #require(StoredAnswer(status: 200, head: [1], body: [2]))
            let replays = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<120 {
                    let call = try #require(IdempotentCall(key: "k\(number / 6)", fingerprint: "f"))
                    group.addTask {
                        for attempt in 0..<1000 {
                            let worker = workers[(number + attempt) % 4]
                            let request = AdmissionRequest(
                                principal: Principal(userID: gateway.user), time: KeyGateway.time,
                                idempotentCall: call,
                                reservation: Reservation.Request(
                                    id: "r\(number)-\(attempt)", leaseSeconds: 600, givesBack: number % 2 == 0))
                            let decision = try await worker.admit(request)
                            if decision.outcome == .replayed { return 1 }
                            guard let reservation = decision.reservation else {
                                #expect(decision.outcome == .idempotencyKeyInUse)
                                try await Task.sleep(for: .milliseconds(2))
                                continue
                            }
                            // The first attempts of all fail.
                            let other = workers[(number + attempt + 1) % 4]
                            let outcome = attempt < 2 ? Reservation.Outcome.giveBack : .keepAndReplay(answer)
                            #expect(try await other.settle(reservation, as: outcome))
                            if attempt >= 2 { return 0 }
                        }
                        Issue.record("it never came to an end")
                        return 0
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(replays == 100, "of six senders of a call one gets through, and the others get its answer")
            #expect(try await gateway.count() == 20)
            #expect(try await gateway.booked(on: CalendarDay(containing: KeyGateway.time)) == ["other": "20"])
        }
    }

    /// Runs `body` with two workers of each release, the previous one's at even places, on connections of their own.
    private func withWorkers(
        _ plans: PlanTable, _ body: ([any AdmittingWorker], KeyGateway) async throws -> Void
    ) async throws {
        try await KeyGateway.run(plans: plans) { gateway in
            try await body(
                [
                    PreviousReleaseWorker(client: gateway.client, plans: plans), gateway.admissions,
                    PreviousReleaseWorker(client: gateway.otherClient, plans: plans), gateway.otherAdmissions,
                ], gateway)
        }
    }
}
