import TollgateCore

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
