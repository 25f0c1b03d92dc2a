/// The span of time that a quota covers: one calendar month in UTC.
package struct BillingPeriod: Sendable, Hashable {
    /// The first day of the month.
    package let firstDay: CalendarDay

    /// The month that `time` falls into.
    package init(containing time: UnixTime) {
        self.init(containing: CalendarDay(containing: time))
    }

    /// The month that `day` falls into.
    package init(containing day: CalendarDay) {
        firstDay = CalendarDay(year: day.year, month: day.month, day: 1)
    }

    package var next: BillingPeriod {
        let december = firstDay.month == 12
        return BillingPeriod(
            containing: CalendarDay(
                year: december ? firstDay.year + 1 : firstDay.year,
                month: december ? 1 : firstDay.month + 1,
                day: 1))
    }

    /// The last day that still belongs to the month.
    package var lastDay: CalendarDay {
        CalendarDay(
            year: firstDay.year, month: firstDay.month,
            day: CalendarDay.length(ofMonth: firstDay.month, year: firstDay.year))
    }

    /// The first moment of the month.
    package var start: UnixTime { firstDay.startOfDay }

    /// The first moment after the month.
    package var end: UnixTime { next.start }

    /// Length of the month in seconds.
    package var lengthSeconds: Int64 { Int64(lastDay.day) * 86_400 }
}
