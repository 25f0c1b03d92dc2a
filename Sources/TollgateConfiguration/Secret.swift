/// Text that must not be printed. Descriptions, string interpolation and `dump` all show that it is set, nothing more.
package struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The secret itself. The name makes every use of it easy to find.
    package let revealed: String

    package init(_ text: String) { revealed = text }

    package var description: String { "set" }
    package var debugDescription: String { "set" }
    package var customMirror: Mirror { Mirror(self, children: []) }

    /// `text` in quotes, unless it may be a secret.
    static func quoted(_ text: String) -> String { isLikely(text) ? "that stands there" : "'\(text)'" }

    /// Whether `text` has the looks of a key or a login, wherever it was given: a secret key in the place of a public
    /// one is a common mistake, and the report of the mistake must not publish the key.
    static func isLikely(_ text: String) -> Bool {
        ["sk_", "rk_", "whsec_", "PRIVATE KEY", "@"].contains { text.contains($0) }
    }
}
