/// A moment in milliseconds since 1970-01-01T00:00:00Z. The domain never reads a clock: every moment is handed in.
///
/// It lies in the years 0 to 9999, which ISO 8601 writes with four digits (RFC 3339, section 5.6). Arithmetic that leads
/// out of them stops at their end, so no moment can overflow whatever is added to it. What comes from outside is
/// refused instead: ``init(checkedSeconds:)``.
package struct UnixTime: Sendable, Hashable, Comparable {
    /// From 0000-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
    package static let secondsRange: ClosedRange<Int64> = -62_167_219_200...253_402_300_799

    private static let millisecondsRange = secondsRange.lowerBound * 1000...secondsRange.upperBound * 1000 + 999

    package let milliseconds: Int64

    /// The nearest moment that there is.
    package init(milliseconds: Int64) { self.milliseconds = milliseconds.clamped(to: Self.millisecondsRange) }

    /// The nearest moment that there is.
    package init(seconds: Int64) { milliseconds = seconds.clamped(to: Self.secondsRange) * 1000 }

    /// A number of seconds that another program has written. Nil beyond ``secondsRange``.
    package init?(checkedSeconds seconds: Int64) {
        guard Self.secondsRange.contains(seconds) else { return nil }
        milliseconds = seconds * 1000
    }

    /// The same with a fraction, rounded down to milliseconds. Nil for what is no number as well.
    package init?(checkedSeconds seconds: Double) {
        // The bounds are whole in a Double. Neither an infinity nor NaN lies between them.
        guard seconds >= Double(Self.secondsRange.lowerBound), seconds <= Double(Self.secondsRange.upperBound) else {
            return nil
        }
        milliseconds = Int64((seconds * 1000).rounded(.down))
    }

    /// Whole seconds, rounded towards the past.
    package var seconds: Int64 { milliseconds.dividedRoundingDown(by: 1000) }

    package static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }

    /// The moment so much later, or the nearest that there is.
    package func adding(seconds: Int64) -> Self {
        let widest = Self.secondsRange.upperBound - Self.secondsRange.lowerBound
        return Self(milliseconds: milliseconds + seconds.clamped(to: -widest...widest) * 1000)
    }
}

extension FixedWidthInteger {
    /// Division that rounds towards negative infinity, so that moments before 1970 stay in order.
    func dividedRoundingDown(by divisor: Self) -> Self {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    var twoDigits: String { (self < 10 ? "0" : "") + String(self) }
}

extension Comparable {
    /// The nearest value of `range`: for numbers that others keep for us, and that are computed with.
    package func clamped(to range: ClosedRange<Self>) -> Self { min(max(self, range.lowerBound), range.upperBound) }
}
