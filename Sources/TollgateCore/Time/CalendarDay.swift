/// A day of the proleptic Gregorian calendar in UTC, in the years of ``UnixTime`` or the one that follows them.
package struct CalendarDay: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The last year's months have a month after them, too.
    private static let years = 0...10_000

    package let year: Int
    package let month: Int
    package let day: Int

    /// The nearest day that there is: the 31st of a shorter month is its last.
    package init(year: Int, month: Int, day: Int) {
        self.year = year.clamped(to: Self.years)
        self.month = month.clamped(to: 1...12)
        self.day = day.clamped(to: 1...Self.length(ofMonth: self.month, year: self.year))
    }

    /// How many days the month has, which is 1 to 12.
    static func length(ofMonth month: Int, year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// The UTC day that `time` falls into.
    ///
    /// The years run from March here, so that the leap day is the last of its year and months follow one formula
    /// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    package init(containing time: UnixTime) {
        let daysFromMarch0000 = Int(time.seconds.dividedRoundingDown(by: 86_400)) + 719_468
        let era = daysFromMarch0000.dividedRoundingDown(by: 146_097)
        let dayOfEra = daysFromMarch0000 - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// 00:00:00 UTC of this day. The inverse of ``init(containing:)``.
    package var startOfDay: UnixTime {
        let marchYear = month <= 2 ? year - 1 : year
        let era = marchYear.dividedRoundingDown(by: 400)
        let yearOfEra = marchYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return UnixTime(seconds: Int64(era * 146_097 + dayOfEra - 719_468) * 86_400)
    }

    /// The day so many days before this one.
    package func days(before count: Int) -> CalendarDay {
        CalendarDay(containing: startOfDay.adding(seconds: -86_400 * Int64(count)))
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.year, left.month, left.day) < (right.year, right.month, right.day)
    }

    /// `YYYY-MM-DD`.
    package var description: String {
        let digits = String(year)
        let padding = String(repeating: "0", count: max(0, 4 - digits.utf8.count))
        return padding + digits + "-" + month.twoDigits + "-" + day.twoDigits
    }
}
