import HTTPWire
import Libcrypto

/// What tells one request from another under the same idempotency key. The body is on its way while this is needed, so
/// its length stands for it.
enum RequestFingerprint {
    /// 64 hexadecimal digits.
    static func text(_ method: String, _ uri: String, _ framing: BodyFraming) -> String {
        let length =
            switch framing {
            case .length(let count): String(count)
            case .none: "0"
            case .chunked, .untilClose: "chunked"
            }
        return SHA256.digest("\(method) \(uri) \(length)").hex
    }
}
