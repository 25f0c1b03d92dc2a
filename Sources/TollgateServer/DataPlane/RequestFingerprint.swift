import Libcrypto

/// What tells one request from another under the same idempotency key.
enum RequestFingerprint {
    /// 64 hexadecimal digits.
    ///
    /// - Parameter address: Host, path and query.
    static func text(method: String, address: String, body: GatheredBody) -> String {
        SHA256.digest("\(method) \(address) \(body.digest.hex)").hex
    }
}
