package import TollgateCore

/// The `Date` field of an answer: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7). Written once a second.
package struct HTTPDate {
    private var second: Int64 = .min
    private var text = ""

    package init() {}

    /// The moment in whole seconds.
    package mutating func text(at time: UnixTime) -> String {
        if time.seconds != second {
            second = time.seconds
            text = Self.format(time)
        }
        return text
    }

    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// The moment that a `Date` field tells in this form, which is the one that servers write. Nil for any other.
    package static func moment(in text: String) -> UnixTime? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let month = months.firstIndex(of: String(words[2])),
            let day = Int(words[1]), (1...31).contains(day), let year = Int(words[3]), (0...9999).contains(year)
        else { return nil }
        let time = words[4].split(separator: ":").compactMap { Int64($0) }
        guard time.count == 3, (0...23).contains(time[0]), (0...59).contains(time[1]), (0...60).contains(time[2])
        else { return nil }
        return CalendarDay(year: year, month: month + 1, day: day).startOfDay
            .adding(seconds: time[0] * 3600 + time[1] * 60 + time[2])
    }

    /// 0000-01-06, like 1970-01-01. Days are counted from the one before the first moment that there is.
    private static let aThursday = UnixTime.secondsRange.lowerBound - 2 * 86_400

    private static func format(_ time: UnixTime) -> String {
        let iso = time.iso8601
        let day = CalendarDay(containing: time)
        let weekday = weekdays[Int((time.seconds - Self.aThursday) / 86_400 % 7)]
        return
            "\(weekday), \(iso.dropFirst(8).prefix(2)) \(months[day.month - 1]) \(iso.prefix(4)) \(iso.dropFirst(11).prefix(8)) GMT"
    }
}
