import Testing
import TollgateCore

@Suite struct AlertThresholdTests {
    private static let standard = AlertThresholds.standard

    @Test(arguments: [
        (0, 1, 10, []), (4, 5, 10, [50]), (5, 6, 10, []), (7, 8, 10, [80]), (9, 10, 10, [100]), (10, 11, 10, []),
        // A call that costs several, and a group of calls.
        (4, 9, 10, [50, 80]), (0, 10, 10, [50, 80, 100]), (0, 200, 10, [50, 80, 100]),
        // Rounded up: half of 3 is reached with 2, and all of 1 with 1.
        (0, 1, 3, []), (1, 2, 3, [50]), (2, 3, 3, [80, 100]), (0, 1, 1, [50, 80, 100]),
        // A credit, a count that falls or stays, and a quota of nothing.
        (-3, 0, 10, []), (-3, 5, 10, [50]), (9, 4, 10, []), (5, 5, 10, []), (0, 1, 0, []), (0, 1, -1, []),
    ])
    func crossingIsFromBelowToAtLeast(before: Int, after: Int, limit: Int, percents: [Int]) {
        #expect(Self.standard.crossed(from: before, to: after, of: limit) == percents)
    }

    @Test func theLargestLimitDoesNotOverflow() {
        let limit = Plan.maximumLimit
        #expect(Self.standard.crossed(from: 0, to: limit, of: limit) == [50, 80, 100])
        #expect(Self.standard.crossed(from: 0, to: Int.max, of: Int.max) == [50, 80, 100])
        #expect(Self.standard.crossed(from: 0, to: limit / 2, of: limit) == [], "half of an odd number is rounded up")
    }

    /// However calls come, each threshold is crossed by one of them.
    @Test func allCallsTogetherCrossEachThresholdOnce() throws {
        let every = try #require(AlertThresholds([1, 33, 34, 50, 99, 100]))
        for limit in 1...60 {
            for cost in 1...7 {
                let counts = Array(stride(from: 0, through: limit + cost, by: cost))
                let crossed = zip(counts, counts.dropFirst()).flatMap { every.crossed(from: $0, to: $1, of: limit) }
                #expect(crossed == every.reached(with: counts.last ?? 0, of: limit), "\(limit) by \(cost)")
                #expect(crossed == every.percents)
            }
        }
    }

    @Test(arguments: [[0], [101], [50, 50], [-1], Array(1...11)]) func oddPercentsAreRefused(percents: [Int]) {
        #expect(AlertThresholds(percents) == nil)
    }

    @Test func percentsAreSortedAndMayBeNone() {
        #expect(AlertThresholds([100, 1, 50])?.percents == [1, 50, 100])
        #expect(AlertThresholds([])?.reached(with: 10, of: 10) == [])
    }
}

@Suite struct AlertDeliveryTests {
    private static let start = UnixTime(seconds: 1_764_198_000)

    @Test func waitsDoubleUpToAnHourForADay() {
        var (delivery, time) = (AlertDelivery(since: Self.start), Self.start)
        var waits: [Int64] = []
        while case .retry(let next) = delivery.ended(.failed(reason: "500", waitSeconds: nil), at: time, jitter: 0.5) {
            waits.append(next.seconds - time.seconds)
            time = next
        }
        #expect(waits.prefix(11) == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600])
        #expect(waits.dropFirst(11).allSatisfy { $0 == 3600 })
        #expect((22 * 3600...24 * 3600).contains(time.seconds - Self.start.seconds), "about a day")
        #expect(delivery.attempts == waits.count + 1 && delivery.failure == "500")
    }

    @Test func jitterSpreads() {
        func wait(_ jitter: Double) -> AlertDelivery.Next {
            var delivery = AlertDelivery(since: Self.start)
            return delivery.ended(.failed(reason: "", waitSeconds: nil), at: Self.start, jitter: jitter)
        }
        #expect(wait(0) == .retry(at: UnixTime(milliseconds: Self.start.milliseconds + 3750)))
        #expect(wait(1) == .retry(at: UnixTime(milliseconds: Self.start.milliseconds + 6250)))
    }

    @Test func theReceiverMayAskForMoreTimeWithinAnHour() {
        for (asked, waited) in [(Int64(60), Int64(60)), (1, 5), (100_000, 3600)] {
            var delivery = AlertDelivery(since: Self.start)
            let next = delivery.ended(.failed(reason: "429", waitSeconds: asked), at: Self.start, jitter: 0.5)
            #expect(next == .retry(at: Self.start.adding(seconds: waited)))
        }
    }

    @Test func anEndIsAnEnd() {
        var delivery = AlertDelivery(since: Self.start, attempts: 3, failure: "500")
        #expect(delivery.ended(.gone(reason: "410"), at: Self.start, jitter: 0) == .isDead)
        #expect(delivery.failure == "410")
        delivery.begin(at: Self.start.adding(seconds: 100_000))
        let later = delivery.ended(
            .failed(reason: "500", waitSeconds: nil), at: Self.start.adding(seconds: 100_000), jitter: 0.5)
        #expect(later != .isDead, "one that is replayed has a day")
        #expect(delivery.ended(.delivered, at: Self.start, jitter: 0) == .isDelivered)
        #expect(delivery.failure == nil && delivery.attempts == 6)
    }
}

@Suite struct AlertSubjectTests {
    private static func alert(
        _ user: String = "user_a", plan: String = "free", month: Int = 11, percent: Int = 50, used: Int = 5
    ) throws -> Alert {
        .quotaThreshold(
            .init(
                user: try #require(UserID(user)), plan: plan,
                period: BillingPeriod(containing: CalendarDay(year: 2026, month: month, day: 3)), percent: percent,
                used: used, limit: 10))
    }

    @Test func oneThingIsOneAlertWhateverWasCounted() throws {
        let first = try Self.alert()
        #expect(first.subject == "quota.threshold user_a 2026-11-01 free 50")
        #expect(try Self.alert(used: 7).subject == first.subject)
        let others = [
            try Self.alert("user_b"), try Self.alert(plan: "paid"), try Self.alert(month: 12),
            try Self.alert(percent: 80),
        ]
        #expect(Set(others.map(\.subject) + [first.subject]).count == 5)
    }

    @Test func periodsAreReadByTheirNames() throws {
        let month = BillingPeriod(containing: CalendarDay(year: 2026, month: 11, day: 3))
        #expect(BillingPeriod(name: month.name, end: "2026-11-30") == month)
        let start = UnixTime(seconds: 1_764_198_000)
        let bought = BillingPeriod(start: start, end: start.adding(seconds: 86_400))
        #expect(BillingPeriod(name: bought.name, end: bought.end.iso8601) == bought)
        for (name, end) in [("", nil), ("soon", "2026-11-30"), (start.iso8601, nil), (start.iso8601, start.iso8601)] {
            #expect(BillingPeriod(name: name, end: end) == nil)
        }
    }
}
