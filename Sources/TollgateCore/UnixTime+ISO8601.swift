/// Moments as people read them: ISO 8601 in UTC with whole seconds, such as `2025-11-26T23:00:00Z`. All of them have
/// the same form, so that a script in Redis can compare two of them as strings.
extension UnixTime {
    /// For the years 0 to 9999.
    package var iso8601: String {
        let (date, minute, second) = iso8601Words
        var text: [UInt8] = []
        text.reserveCapacity(Self.template.count)
        text.append(bigEndian: date)
        text.append(bigEndian: minute)
        text.append(bigEndian: second)
        return String(decoding: text, as: UTF8.self)
    }

    /// The same 20 characters packed into numbers, the first character uppermost: `2025-11-`, `26T23:00` and `:00Z`.
    /// Every admission writes some of these, and a string of 20 characters is an allocation.
    package var iso8601Words: (UInt64, UInt64, UInt32) {
        let day = CalendarDay(containing: self)
        let secondOfDay = Int(seconds - day.startOfDay.seconds)
        let year = twoDigits(day.year / 100) << 16 | twoDigits(day.year % 100)
        let date = year << 32 | character("-") << 24 | twoDigits(day.month) << 8 | character("-")
        let hour = twoDigits(secondOfDay / 3600)
        let minute = twoDigits(secondOfDay / 60 % 60)
        let second = character(":") << 24 | twoDigits(secondOfDay % 60) << 8 | character("Z")
        return (
            date, twoDigits(day.day) << 48 | character("T") << 40 | hour << 24 | character(":") << 16 | minute,
            UInt32(truncatingIfNeeded: second)
        )
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

/// Two decimal digits as characters, the first one above the second.
private func twoDigits(_ number: Int) -> UInt64 {
    character("0") << 8 + UInt64(truncatingIfNeeded: number / 10 % 10) << 8
        | character("0") + UInt64(truncatingIfNeeded: number % 10)
}

private func character(_ scalar: Unicode.Scalar) -> UInt64 { UInt64(scalar.value) }

extension [UInt8] {
    fileprivate mutating func append<Word: FixedWidthInteger>(bigEndian word: Word) {
        for shift in stride(from: Word.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: word >> Word(shift)))
        }
    }
}
