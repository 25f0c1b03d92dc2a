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
        let isLeapYear = firstDay.year % 4 == 0 && (firstDay.year % 100 != 0 || firstDay.year % 400 == 0)
        let days =
            switch firstDay.month {
            case 2: isLeapYear ? 29 : 28
            case 4, 6, 9, 11: 30
            default: 31
            }
        return CalendarDay(year: firstDay.year, month: firstDay.month, day: days)
    }

    /// The first moment of the month.
    package var start: UnixTime { firstDay.startOfDay }

    /// The first moment after the month.
    package var end: UnixTime { next.start }

    /// Length of the month in seconds.
    package var lengthSeconds: Int64 { Int64(lastDay.day) * 86_400 }
}
