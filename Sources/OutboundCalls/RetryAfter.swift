/// How long another server asks us to wait (RFC 9110, section 10.2.3).
package enum RetryAfter {
    /// Longer waits come to the same: no caller waits that long.
    private static let longestSeconds = 86_400

    /// The field's value as a number of seconds. Nil for a date, and for what is neither.
    package static func seconds(_ value: String?) -> Int? {
        guard let value, !value.isEmpty, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return min(Int(value) ?? longestSeconds, longestSeconds)
    }
}
