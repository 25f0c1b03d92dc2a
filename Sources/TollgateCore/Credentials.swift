/// What a user's own software signs in with: the name of their platform and its secret key.
package struct Credentials: Sendable, Hashable {
    package static let platformPrefix = "plt_"
    package static let platformDigits = 32
    package static let keyPrefix = "pk_live_"
    package static let keyDigits = 64

    /// `plt_` and 32 hexadecimal digits. No secret.
    package let platformID: String

    /// `pk_live_` and 64 hexadecimal digits. A secret.
    package let apiKey: String

    /// Fails when one of the two has another form. Hexadecimal digits are lower-case.
    package init?(platformID: String, apiKey: String) {
        guard Self.isValid(platformID, prefix: Self.platformPrefix, digits: Self.platformDigits),
            Self.isValid(apiKey, prefix: Self.keyPrefix, digits: Self.keyDigits)
        else { return nil }
        self.platformID = platformID
        self.apiKey = apiKey
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
