/// Moments as people read them: ISO 8601 in UTC with whole seconds, such as `2025-11-26T23:00:00Z`. All of them have
/// the same form, so that a script in Redis can compare two of them as strings.
extension UnixTime {
    package var iso8601: String {
        let (date, minute, second) = iso8601Words
        var text: [UInt8] = []
        text.reserveCapacity(Self.template.count)
        text.append(bigEndian: date)
        text.append(bigEndian: minute)
        text.append(bigEndian: second)
        return String(decoding: text, as: UTF8.self)
    }

    /// With milliseconds, such as `2025-11-26T23:00:00.123Z`.
    package var iso8601Milliseconds: String {
        let digits = String(1000 + milliseconds - seconds * 1000).dropFirst()
        return "\(iso8601.dropLast()).\(digits)Z"
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
        guard bytes.count == Self.template.count, bytes[10] == UInt8(ascii: "T"), bytes[19] == UInt8(ascii: "Z")
        else { return nil }
        self.init(rfc3339: bytes)
    }

    /// A moment as RFC 3339, section 5.6, has it: any number of digits for parts of a second, which are left out, and
    /// `Z` or the distance from UTC. Nil for another form, for a moment that the calendar does not have, and for the
    /// second `60`, which Unix time does not have either.
    package init?(rfc3339 text: String) { self.init(rfc3339: Array(text.utf8)) }

    private init?(rfc3339 bytes: [UInt8]) {
        guard bytes.count >= Self.template.count,
            zip(bytes, Self.template.dropLast()).allSatisfy({ byte, form in
                switch form {
                case UInt8(ascii: "0"): byte.isDigit
                case UInt8(ascii: "T"): byte | 0x20 == UInt8(ascii: "t")
                default: byte == form
                }
            })
        else { return nil }
        func number(_ start: Int, _ count: Int, _ range: ClosedRange<Int>) -> Int? {
            let number = bytes[start..<start + count].reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
            return range.contains(number) ? number : nil
        }
        guard let year = number(0, 4, 0...9999), let month = number(5, 2, 1...12),
            let day = number(8, 2, 1...CalendarDay.length(ofMonth: month, year: year)),
            let hour = number(11, 2, 0...23), let minute = number(14, 2, 0...59), let second = number(17, 2, 0...59),
            let distance = Self.secondsFromUTC(bytes[(Self.template.count - 1)...])
        else { return nil }
        let start = CalendarDay(year: year, month: month, day: day).startOfDay.seconds
        self.init(checkedSeconds: start + Int64(hour * 3600 + minute * 60 + second - distance))
    }

    /// - Parameter zone: What follows the seconds: perhaps parts of one, then `Z` or such as `+01:00`.
    private static func secondsFromUTC(_ zone: ArraySlice<UInt8>) -> Int? {
        var zone = zone
        if zone.first == UInt8(ascii: ".") {
            let rest = zone.dropFirst().drop(while: \.isDigit)
            guard rest.startIndex > zone.startIndex + 1 else { return nil }
            zone = rest
        }
        if zone.count == 1, zone.first.map({ $0 | 0x20 }) == UInt8(ascii: "z") { return 0 }
        let digits = [1, 2, 4, 5].compactMap { place -> Int? in
            let index = zone.startIndex + place
            return zone.indices.contains(index) && zone[index].isDigit ? Int(zone[index] - UInt8(ascii: "0")) : nil
        }
        guard zone.count == 6, digits.count == 4, zone[zone.startIndex + 3] == UInt8(ascii: ":"),
            let sign = zone.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-")
        else { return nil }
        let (hours, minutes) = (digits[0] * 10 + digits[1], digits[2] * 10 + digits[3])
        guard hours <= 23, minutes <= 59 else { return nil }
        return (sign == UInt8(ascii: "+") ? 1 : -1) * (hours * 3600 + minutes * 60)
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
