/// The span of time that a customer has paid for.
package struct SubscriptionPeriod: Sendable, Hashable {
    /// The longest span that a quota covers as a whole: the longest month.
    static let longestWholeSeconds: Int64 = 31 * 86_400

    package let start: UnixTime
    package let end: UnixTime

    /// Where the months of the span are counted from, if that is not its start: the provider keeps the day of the month
    /// that a subscription began on, as the 31st in a year that begins on the 28th of February. Nil for a span of a month
    /// or less, which is not divided.
    package let anchor: UnixTime?

    package init(start: UnixTime, end: UnixTime, anchor: UnixTime? = nil) {
        self.start = start
        self.end = end
        let isWhole = end.seconds - start.seconds <= Self.longestWholeSeconds
        self.anchor = isWhole || anchor == start ? nil : anchor
    }

    /// The period that a quota covers at `time`: all of the span, or of a longer one the month, counted from the anchor.
    /// Before the span its first, after it its last one: the provider alone begins another. Nil for a span that ends
    /// before it begins.
    ///
    /// `tools.quota_period` in `Scripts/values.lua` of TollgateStore says the same once more; a test compares the two.
    package func quotaPeriod(at time: UnixTime) -> BillingPeriod? {
        guard start < end else { return nil }
        guard end.seconds - start.seconds > Self.longestWholeSeconds else {
            return BillingPeriod(start: start, end: end)
        }
        let time = max(time, start)
        let origin = anchor ?? start
        // Counted from the origin each time: the 31st becomes a 28th, and no 28th the next month's 28th.
        let (first, last) = (CalendarDay(containing: origin), CalendarDay(containing: min(time, end)))
        var months = (last.year - first.year) * 12 + last.month - first.month
        let begin = origin.adding(months: months)
        if begin > time || begin >= end { months -= 1 }
        return BillingPeriod(
            start: max(start, origin.adding(months: months)), end: min(end, origin.adding(months: months + 1)))
    }
}

extension UnixTime {
    /// The same day and time of another month, or that month's last day where it has no such day.
    package func adding(months: Int) -> UnixTime {
        let day = CalendarDay(containing: self)
        let month = day.year * 12 + day.month - 1 + months
        guard month >= 0 else { return UnixTime(seconds: Self.secondsRange.lowerBound) }
        let there = CalendarDay(year: month / 12, month: month % 12 + 1, day: day.day)
        return there.startOfDay.adding(seconds: seconds - day.startOfDay.seconds)
    }
}

extension SubscriptionRecord {
    /// The period of the subscription that a quota covers at `time`, for a plan that goes by subscriptions. Nil when there is
    /// none that counts, and then the calendar month does.
    ///
    /// A renewal that is late begins nothing: what is over goes on for the grace, until the provider says that it was paid.
    package func quotaPeriod(at time: UnixTime, pastDueGraceSeconds: Int64) -> BillingPeriod? {
        guard status.isLive else { return nil }
        let isAfterGrace = graceIsOver(at: time, pastDueGraceSeconds: pastDueGraceSeconds)
        guard let span = isAfterGrace ? periodAfterGrace : period else { return nil }
        let isInGrace = status == .pastDue && !isAfterGrace
        guard isInGrace || span.end.seconds > max(0, time.seconds - pastDueGraceSeconds) else { return nil }
        return span.quotaPeriod(at: time)
    }
}

extension BillingPeriod {
    /// The period in which a call at `time` counts, of a user with this plan and this record of billing.
    ///
    /// `Scripts/admit.lua` in TollgateStore says the same once more; a test compares the two.
    package init(of plan: Plan, _ record: SubscriptionRecord?, at time: UnixTime, pastDueGraceSeconds: Int64) {
        let own =
            plan.period == .subscription
            ? record?.quotaPeriod(at: time, pastDueGraceSeconds: pastDueGraceSeconds) : nil
        self = own ?? BillingPeriod(containing: time)
    }
}
