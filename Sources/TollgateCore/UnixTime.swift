/// A moment in milliseconds since 1970-01-01T00:00:00Z. The domain never reads a clock: every moment is handed in.
package struct UnixTime: Sendable, Hashable, Comparable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }
    package init(seconds: Int64) { self.milliseconds = seconds * 1000 }

    /// Whole seconds, rounded towards the past.
    package var seconds: Int64 { milliseconds.dividedRoundingDown(by: 1000) }

    package static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }

    package func adding(seconds: Int64) -> Self { Self(milliseconds: milliseconds + seconds * 1000) }
}

extension FixedWidthInteger {
    /// Division that rounds towards negative infinity, so that moments before 1970 stay in order.
    func dividedRoundingDown(by divisor: Self) -> Self {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    var twoDigits: String { (self < 10 ? "0" : "") + String(self) }
}
