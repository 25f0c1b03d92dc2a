/// The key of a user's platform credentials: `pk_live_` and 64 hexadecimal digits. It says nothing of its owner.
package struct PlatformKey: Sendable, Hashable {
    /// The whole key. A secret.
    package let text: String

    /// Fails when `text` has another form.
    package init?(_ text: String) {
        guard Credentials.isValid(text, prefix: Credentials.keyPrefix, digits: Credentials.keyDigits) else {
            return nil
        }
        self.text = text
    }
}

extension PlatformKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without the secret: descriptions end up in logs.
    package var description: String { "\(Credentials.keyPrefix)…" }

    package var debugDescription: String { description }

    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A key that a caller presents, of either kind.
package enum PresentedKey: Sendable, Hashable {
    case secret(APIKey)
    case platform(PlatformKey)

    /// Whether `text` means to be a key. Session tokens never begin like one.
    package static func claims(_ text: String) -> Bool {
        text.hasPrefix(Credentials.keyPrefix) || KeyMode.allCases.contains { text.hasPrefix($0.prefix) }
    }

    /// Reads a key. Computes no hash and does not ask the store.
    package init(_ text: String) throws(APIKey.Problem) {
        if text.hasPrefix(Credentials.keyPrefix) {
            guard let key = PlatformKey(text) else { throw .malformed }
            self = .platform(key)
        } else {
            self = .secret(try APIKey(text))
        }
    }
}
