/// Moments as people read them: ISO 8601 in UTC with whole seconds, such as `2025-11-26T23:00:00Z`. All of them have
/// the same form, so that a script in Redis can compare two of them as strings.
extension UnixTime {
    /// For the years 0 to 9999. Every admission writes some of these, so it is done in one array of bytes: string
    /// interpolation takes four times as long.
    package var iso8601: String {
        let day = CalendarDay(containing: self)
        let secondOfDay = Int(seconds - day.startOfDay.seconds)
        var text: [UInt8] = []
        text.reserveCapacity(Self.template.count)
        text.append(number: day.year, digits: 4, then: "-")
        text.append(number: day.month, digits: 2, then: "-")
        text.append(number: day.day, digits: 2, then: "T")
        text.append(number: secondOfDay / 3600, digits: 2, then: ":")
        text.append(number: secondOfDay / 60 % 60, digits: 2, then: ":")
        text.append(number: secondOfDay % 60, digits: 2, then: "Z")
        return String(decoding: text, as: UTF8.self)
    }

    /// The inverse of ``iso8601``. Nil when `text` has another form or names a moment that the calendar does not have.
    package init?(iso8601 text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == Self.template.count,
            zip(bytes, Self.template).allSatisfy({ $1 == UInt8(ascii: "0") ? $0.isDigit : $0 == $1 })
        else { return nil }
        func number(_ range: Range<Int>) -> Int { bytes[range].reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) } }

        let month = number(5..<7)
        guard (1...12).contains(month) else { return nil }
        let day = CalendarDay(year: number(0..<4), month: month, day: number(8..<10))
        let secondOfDay = number(11..<13) * 3600 + number(14..<16) * 60 + number(17..<19)
        self = day.startOfDay.adding(seconds: Int64(secondOfDay))
        // The 30th of February and 24:00:00 come out as other moments.
        guard iso8601 == text else { return nil }
    }

    private static let template = Array("0000-00-00T00:00:00Z".utf8)
}

extension UInt8 {
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}

extension [UInt8] {
    fileprivate mutating func append(number: Int, digits: Int, then separator: Unicode.Scalar) {
        var divisor = digits == 4 ? 1000 : 10
        while divisor > 0 {
            append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
        append(UInt8(ascii: separator))
    }
}
