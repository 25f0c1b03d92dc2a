import Testing
import TollgateCore

/// The spans of a subscription that a quota covers.
@Suite struct SubscriptionPeriodTests {
    private static let grace: Int64 = 7 * 86_400

    private static func moment(_ text: String) throws -> UnixTime { try #require(UnixTime(iso8601: text)) }

    private static func span(_ start: String, _ end: String, anchor: String? = nil) throws -> SubscriptionPeriod {
        SubscriptionPeriod(start: try moment(start), end: try moment(end), anchor: try anchor.map(moment))
    }

    /// A span, the moment asked about, and the period that counts then.
    @Test(
        arguments: [
            // A month is not divided, whatever its length.
            ("2025-11-15T14:23:05Z", "2025-12-15T14:23:05Z", nil, "2025-11-20T00:00:00Z", "2025-11-15", "2025-12-15"),
            (
                "2025-02-28T10:00:00Z", "2025-03-31T10:00:00Z", "2025-01-31T10:00:00Z", "2025-03-30T00:00:00Z",
                "2025-02-28", "2025-03-31"
            ),
            ("2025-01-31T10:00:00Z", "2025-02-28T10:00:00Z", nil, "2025-02-28T09:59:59Z", "2025-01-31", "2025-02-28"),
            ("2025-01-31T10:00:00Z", "2025-03-02T10:00:00Z", nil, "2025-03-01T00:00:00Z", "2025-01-31", "2025-03-02"),
            ("2025-11-15T14:00:00Z", "2025-11-22T14:00:00Z", nil, "2025-11-16T00:00:00Z", "2025-11-15", "2025-11-22"),
            // A year is, and each month is counted from the beginning.
            ("2025-01-31T10:00:00Z", "2026-01-31T10:00:00Z", nil, "2025-01-31T10:00:00Z", "2025-01-31", "2025-02-28"),
            ("2025-01-31T10:00:00Z", "2026-01-31T10:00:00Z", nil, "2025-02-28T09:59:59Z", "2025-01-31", "2025-02-28"),
            ("2025-01-31T10:00:00Z", "2026-01-31T10:00:00Z", nil, "2025-02-28T10:00:00Z", "2025-02-28", "2025-03-31"),
            ("2025-01-31T10:00:00Z", "2026-01-31T10:00:00Z", nil, "2025-04-30T10:00:00Z", "2025-04-30", "2025-05-31"),
            ("2025-01-31T10:00:00Z", "2026-01-31T10:00:00Z", nil, "2025-12-31T10:00:00Z", "2025-12-31", "2026-01-31"),
            ("2024-01-31T10:00:00Z", "2025-01-31T10:00:00Z", nil, "2024-02-29T10:00:00Z", "2024-02-29", "2024-03-31"),
            // The anchor knows more than the start.
            (
                "2025-02-28T10:00:00Z", "2026-02-28T10:00:00Z", "2024-02-29T10:00:00Z", "2025-03-29T10:00:00Z",
                "2025-03-29", "2025-04-29"
            ),
            (
                "2025-02-28T10:00:00Z", "2025-05-31T10:00:00Z", "2024-11-30T10:00:00Z", "2025-03-30T09:00:00Z",
                "2025-02-28", "2025-03-30"
            ),
            // A trial of 60 days, behind which the months begin.
            (
                "2025-11-15T00:00:00Z", "2026-01-14T00:00:00Z", "2026-01-14T00:00:00Z", "2025-11-16T00:00:00Z",
                "2025-11-15", "2025-12-14"
            ),
            (
                "2025-11-15T00:00:00Z", "2026-01-14T00:00:00Z", "2026-01-14T00:00:00Z", "2025-12-14T00:00:00Z",
                "2025-12-14", "2026-01-14"
            ),
            // A clock that is late, and a renewal that is.
            ("2025-11-15T14:00:00Z", "2025-12-15T14:00:00Z", nil, "2025-11-15T13:59:58Z", "2025-11-15", "2025-12-15"),
            ("2025-11-15T14:00:00Z", "2025-12-15T14:00:00Z", nil, "2025-12-17T00:00:00Z", "2025-11-15", "2025-12-15"),
            ("2025-01-31T10:00:00Z", "2026-01-31T10:00:00Z", nil, "2026-02-03T10:00:00Z", "2025-12-31", "2026-01-31"),
        ] as [(String, String, String?, String, String, String)])
    func aPeriodIsTheSpanOrAMonthOfIt(
        start: String, end: String, anchor: String?, time: String, first: String, last: String
    ) throws {
        let period = try #require(try Self.span(start, end, anchor: anchor).quotaPeriod(at: try Self.moment(time)))
        #expect(period.kind == .subscription)
        #expect(period.firstDay.description == first)
        #expect(CalendarDay(containing: period.end).description == last)
        #expect(period.start.iso8601.suffix(10) == start.suffix(10), "at the same time of day")
    }

    /// Periods follow one another without a gap, in number and in length as months do.
    @Test(arguments: 1...31) func theMonthsOfTwoYears(day: Int) throws {
        let start = CalendarDay(year: 2024, month: 1, day: day).startOfDay.adding(seconds: 3723)
        let span = SubscriptionPeriod(start: start, end: start.adding(months: 24))
        var time = start
        for number in 1...24 {
            let period = try #require(span.quotaPeriod(at: time))
            #expect(period.start == time && period.end == start.adding(months: number))
            #expect(span.quotaPeriod(at: period.end.adding(seconds: -1)) == period)
            #expect((28...31).contains(period.lengthSeconds / 86_400))
            time = period.end
        }
        #expect(time == span.end)
    }

    @Test func whatIsNoSpanHasNoPeriod() throws {
        let time = try Self.moment("2025-11-26T00:00:00Z")
        #expect(SubscriptionPeriod(start: time, end: time).quotaPeriod(at: time) == nil)
        #expect(SubscriptionPeriod(start: time, end: time.adding(seconds: -1)).quotaPeriod(at: time) == nil)
    }

    @Test(arguments: [Int64.min, -62_167_219_201, 0, 253_402_300_800, .max])
    func theEndsOfTheCalendarAreNotPassed(seconds: Int64) {
        let time = UnixTime(seconds: seconds)
        for months in [-200_000, -13, -1, 1, 13, 200_000] { _ = time.adding(months: months).iso8601 }
        let span = SubscriptionPeriod(
            start: time, end: time.adding(seconds: 400 * 86_400), anchor: UnixTime(seconds: 9))
        for moment in [time, span.end, UnixTime(seconds: 0)] {
            if let period = span.quotaPeriod(at: moment) { #expect(period.start <= period.end) }
        }
    }

    // MARK: Which period counts

    private static func record(
        _ status: SubscriptionStatus, since pastDueSince: UnixTime? = nil, after: SubscriptionPeriod? = nil
    ) throws -> SubscriptionRecord {
        SubscriptionRecord(
            plan: "pro", status: status, subscriptionID: "sub_1",
            period: try span("2025-11-15T14:00:00Z", "2025-12-15T14:00:00Z"), pastDueSince: pastDueSince,
            planAfterGrace: after == nil ? nil : "paid", periodAfterGrace: after,
            writtenAt: try moment("2025-11-15T14:00:01Z"))
    }

    @Test func aPlanOfTheCalendarHasMonths() throws {
        let time = try Self.moment("2025-11-26T00:00:00Z")
        let plans = BillingPeriod.Kind.allCases.map { Plan(name: "pro", quota: 5, ratePerMinute: 5, period: $0) }
        let month = BillingPeriod(containing: time)
        for status in SubscriptionStatus.named {
            let record = try Self.record(status)
            #expect(BillingPeriod(of: plans[0], record, at: time, pastDueGraceSeconds: Self.grace) == month)
            let own = BillingPeriod(of: plans[1], record, at: time, pastDueGraceSeconds: Self.grace)
            #expect((own != month) == (status == .active || status == .trialing), "\(status)")
        }
        #expect(BillingPeriod(of: plans[1], nil, at: time, pastDueGraceSeconds: Self.grace) == month)
    }

    @Test func aLateRenewalBeginsNothingWithinTheGrace() throws {
        let record = try Self.record(.active)
        for (time, counts) in [("2025-12-22T13:59:59Z", true), ("2025-12-22T14:00:00Z", false)] {
            let period = record.quotaPeriod(at: try Self.moment(time), pastDueGraceSeconds: Self.grace)
            #expect((period?.firstDay.description == "2025-11-15") == counts, "\(time)")
        }
    }

    @Test func afterTheGraceTheOtherSubscriptionCounts() throws {
        let other = try Self.span("2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z")
        let owed = try Self.record(.pastDue, since: try Self.moment("2025-12-15T15:00:00Z"), after: other)
        for (time, first) in [("2025-12-22T14:59:59Z", "2025-11-15"), ("2025-12-22T15:00:00Z", "2025-12-01")] {
            let period = owed.quotaPeriod(at: try Self.moment(time), pastDueGraceSeconds: Self.grace)
            #expect(period?.firstDay.description == first)
        }
        let alone = try Self.record(.pastDue, since: try Self.moment("2025-12-15T15:00:00Z"))
        #expect(alone.quotaPeriod(at: try Self.moment("2025-12-23T00:00:00Z"), pastDueGraceSeconds: Self.grace) == nil)
    }

    /// The provider goes on to the next span at its time, whether or not it is paid.
    @Test func whatIsOwedIsNotPaidFor() throws {
        let now = try Self.moment("2025-12-15T15:00:00Z")
        let (november, december) = (
            try Self.span("2025-11-15T14:00:00Z", "2025-12-15T14:00:00Z"),
            try Self.span("2025-12-15T14:00:00Z", "2026-01-15T14:00:00Z")
        )
        func seen(_ status: SubscriptionStatus, _ period: SubscriptionPeriod, after seconds: Int64) -> Subscription {
            Subscription(
                id: "sub_1", status: status, plan: "pro", period: period,
                pastDueSince: status == .pastDue ? now : nil, seenAt: now.adding(seconds: seconds))
        }
        var purchases = Purchases(subscriptions: [seen(.active, november, after: 0)])
        for seconds: Int64 in [1, 2] {
            purchases.take(seen(.pastDue, december, after: seconds), plans: .standard)
            #expect(purchases.subscriptions["sub_1"]?.period == november)
            #expect(purchases.subscriptions["sub_1"]?.says(as: seen(.pastDue, december, after: 9)) == true)
        }
        purchases.take(seen(.active, december, after: 3), plans: .standard)
        #expect(purchases.subscriptions["sub_1"]?.period == december)
        let new = Purchases(subscriptions: [seen(.pastDue, december, after: 0)])
        #expect(new.subscriptions["sub_1"]?.period == december, "nothing else is known")
    }

    // MARK: What is told

    @Test func theResetOfALateRenewalIsAwaited() throws {
        let period = try #require(
            try Self.span("2025-11-15T14:00:00Z", "2025-12-15T14:00:00Z")
                .quotaPeriod(at: try Self.moment("2025-12-01T00:00:00Z")))
        let usage = UsageSnapshot(count: 1, limit: 5, plan: "pro", period: period)
        #expect(usage.secondsUntilReset(at: period.end.adding(seconds: -90)) == 90)
        #expect(usage.secondsUntilReset(at: period.end) == 60)
        #expect(period.lastDay.description == "2025-12-15" && period.lengthSeconds == 30 * 86_400)
    }
}
