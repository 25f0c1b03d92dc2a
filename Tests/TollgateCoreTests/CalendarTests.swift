import Testing
import TollgateCore

@Suite struct CalendarTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_709_251_199, "2024-02-29T23:59:59Z"),
        (1_764_198_000, "2025-11-26T23:00:00Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
    ])
    func momentsAreWrittenAsISO8601(seconds: Int, text: String) {
        #expect(UnixTime(seconds: Int64(seconds)).iso8601 == text)
    }

    @Test func everyDayOfFourCenturiesFollowsTheOneBefore() {
        var expected = CalendarDay(year: 1900, month: 1, day: 1)
        var time = expected.startOfDay
        while expected.year < 2300 {
            let day = CalendarDay(containing: time)
            guard day == expected else {
                Issue.record("\(time.seconds) is \(day), not \(expected)")
                return
            }
            #expect(day.startOfDay == time)
            expected = dayAfter(expected)
            time = time.adding(seconds: 86_400)
        }
    }

    private func dayAfter(_ day: CalendarDay) -> CalendarDay {
        let isLeap = day.year % 4 == 0 && (day.year % 100 != 0 || day.year % 400 == 0)
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        if day.day < lengths[day.month - 1] { return CalendarDay(year: day.year, month: day.month, day: day.day + 1) }
        if day.month < 12 { return CalendarDay(year: day.year, month: day.month + 1, day: 1) }
        return CalendarDay(year: day.year + 1, month: 1, day: 1)
    }

    @Test(arguments: [
        ("2025-11-01T00:00:00Z", 1_761_955_200, "2025-11-01", "2025-11-30", 30),
        ("last moment of a 31-day month", 1_767_225_599, "2025-12-01", "2025-12-31", 31),
        ("first moment of the next year", 1_767_225_600, "2026-01-01", "2026-01-31", 31),
        ("leap February", 1_709_164_800, "2024-02-01", "2024-02-29", 29),
        ("common February", 1_740_700_800, "2025-02-01", "2025-02-28", 28),
    ])
    func periodsAreCalendarMonths(_: String, seconds: Int, first: String, last: String, days: Int) {
        let period = BillingPeriod(containing: UnixTime(seconds: Int64(seconds)))
        #expect(period.firstDay.description == first)
        #expect(period.lastDay.description == last)
        #expect(period.lengthSeconds == Int64(days * 86_400))
    }

    @Test func minutesAreClockMinutes() {
        let window = RateWindow(containing: UnixTime(milliseconds: 119_999))
        #expect(window.minute == 1)
        #expect(window.end == UnixTime(seconds: 120))
        #expect(RateWindow(containing: UnixTime(seconds: 120)).minute == 2)
    }
}
