/// What a user's own software signs in with: the name of their platform and its publishable key.
package struct Credentials: Sendable, Hashable {
    package static let platformPrefix = "plt_"
    package static let platformDigits = 32
    package static let keyPrefix = "pk_live_"
    package static let keyDigits = 64

    /// `plt_` and 32 hexadecimal digits. No secret.
    package let platformID: String

    /// `pk_live_` and 64 hexadecimal digits. Made to stand in code that others can read: it makes calls that count as
    /// its owner's, and manages nothing.
    package let apiKey: String

    /// Until when the key before this one works. Nil when there is none; it may be over.
    package let previousUntil: UnixTime?

    /// Fails when one of the two has another form. Hexadecimal digits are lower-case.
    package init?(platformID: String, apiKey: String, previousUntil: UnixTime? = nil) {
        guard Self.isValid(platformID, prefix: Self.platformPrefix, digits: Self.platformDigits),
            Self.isValid(apiKey, prefix: Self.keyPrefix, digits: Self.keyDigits)
        else { return nil }
        self.platformID = platformID
        self.apiKey = apiKey
        self.previousUntil = previousUntil
    }

    /// Until when the key before this one works. Nil when there is none that does.
    package func previousUntil(at time: UnixTime) -> UnixTime? {
        previousUntil.flatMap { $0.seconds > time.seconds ? $0 : nil }
    }

    static func isValid(_ text: String, prefix: String, digits: Int) -> Bool {
        text.hasPrefix(prefix) && text.utf8.count == prefix.utf8.count + digits
            && text.utf8.dropFirst(prefix.utf8.count).allSatisfy(\.isLowercaseHexadecimalDigit)
    }
}

extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without the secret: descriptions end up in logs.
    package var description: String { "\(platformID), \(Self.keyPrefix)…" }

    package var debugDescription: String { description }

    package var customMirror: Mirror { Mirror(self, children: ["platformID": platformID]) }
}
