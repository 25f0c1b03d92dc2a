/// The identity provider's name for a user, such as `user_2abc`.
///
/// It becomes part of Redis keys, where it stands in braces, and of log lines. So it is held to characters that can
/// neither close the braces nor break a line nor look like another user's.
package struct UserID: Sendable, Hashable, CustomStringConvertible {
    package static let maximumLength = 128

    package let value: String

    /// Fails when `value` is empty, longer than ``maximumLength`` bytes, or holds anything but ASCII letters, digits
    /// and `_ - . : @ | + =`; and when it is `.` or `..`, which lead elsewhere as a segment of a path.
    package init?(_ value: String) {
        guard (1...Self.maximumLength).contains(value.utf8.count), value.utf8.allSatisfy(Self.isAllowed),
            value != ".", value != ".."
        else {
            return nil
        }
        self.value = value
    }

    package var description: String { value }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "@"),
            UInt8(ascii: "|"), UInt8(ascii: "+"), UInt8(ascii: "="):
            true
        default:
            false
        }
    }
}
