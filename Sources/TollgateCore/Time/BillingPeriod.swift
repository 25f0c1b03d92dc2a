/// The span of time that a quota covers: one calendar month in UTC, or a span of the user's own subscription.
package struct BillingPeriod: Sendable, Hashable {
    /// What the periods of a plan go by.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Months in UTC, the same for all users.
        case calendar

        /// What the user's subscription is paid for.
        case subscription
    }

    private enum Span: Sendable, Hashable {
        case month(firstDay: CalendarDay)
        case ofSubscription(start: UnixTime, end: UnixTime)
    }

    private let span: Span

    /// The month that `time` falls into.
    package init(containing time: UnixTime) {
        self.init(containing: CalendarDay(containing: time))
    }

    /// The month that `day` falls into.
    package init(containing day: CalendarDay) {
        span = .month(firstDay: CalendarDay(year: day.year, month: day.month, day: 1))
    }

    /// A span of a subscription, from `start` until before `end`.
    package init(start: UnixTime, end: UnixTime) {
        span = .ofSubscription(start: start, end: max(start, end))
    }

    /// A period by its ``name``. Nil for a text that is none.
    ///
    /// - Parameter end: The moment at which it ends, in ISO 8601, where it is one of a subscription.
    package init?(name: String, end: String?) {
        if let day = UnixTime(iso8601: name + "T00:00:00Z") {
            self.init(containing: day)
        } else if let start = UnixTime(iso8601: name), let end = end.flatMap({ UnixTime(iso8601: $0) }), start < end {
            self.init(start: start, end: end)
        } else {
            return nil
        }
    }

    package var kind: Kind {
        switch span {
        case .month: .calendar
        case .ofSubscription: .subscription
        }
    }

    /// The day that it begins on.
    package var firstDay: CalendarDay {
        switch span {
        case .month(let firstDay): firstDay
        case .ofSubscription(let start, _): CalendarDay(containing: start)
        }
    }

    /// The last day that still belongs to it, if only for a part.
    package var lastDay: CalendarDay {
        switch span {
        case .month(let firstDay):
            CalendarDay(
                year: firstDay.year, month: firstDay.month,
                day: CalendarDay.length(ofMonth: firstDay.month, year: firstDay.year))
        case .ofSubscription(let start, let end): CalendarDay(containing: max(start, end.adding(seconds: -1)))
        }
    }

    /// The first moment.
    package var start: UnixTime {
        switch span {
        case .month(let firstDay): firstDay.startOfDay
        case .ofSubscription(let start, _): start
        }
    }

    /// The first moment after it.
    package var end: UnixTime {
        switch span {
        case .month(let firstDay):
            CalendarDay(
                year: firstDay.month == 12 ? firstDay.year + 1 : firstDay.year, month: firstDay.month % 12 + 1, day: 1
            ).startOfDay
        case .ofSubscription(_, let end): end
        }
    }

    /// As it is called in the store: its first day (YYYY-MM-DD), of a subscription's period the moment at which it begins.
    package var name: String {
        switch span {
        case .month(let firstDay): firstDay.description
        case .ofSubscription(let start, _): start.iso8601
        }
    }

    /// How long it is, in seconds.
    package var lengthSeconds: Int64 {
        switch span {
        case .month: Int64(lastDay.day) * 86_400
        case .ofSubscription(let start, let end): end.seconds - start.seconds
        }
    }
}
