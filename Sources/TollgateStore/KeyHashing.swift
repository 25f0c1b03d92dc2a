import Libcrypto
package import TollgateCore

extension KeyHash {
    /// The hash of a key's whole text.
    package init(of key: APIKey) {
        guard let hash = KeyHash(hex: SHA256.digest(key.text).hex) else {
            preconditionFailure("a SHA-256 has 64 hexadecimal digits")
        }
        self = hash
    }
}

extension Principal {
    /// The principal that the key itself names. To be believed when an admission has not refused it.
    package convenience init(_ key: APIKey) {
        self.init(
            userID: key.owner, credential: .secretKey(id: key.id, mode: key.mode, hash: KeyHash(of: key)))
    }
}
