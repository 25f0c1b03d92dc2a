import FoundationEssentials
import Libcrypto
import TollgateCore

/// How our messages are signed: as https://www.standardwebhooks.com says, so that receivers have libraries for it.
enum StandardWebhook {
    static let idHeader = "webhook-id"
    static let timestampHeader = "webhook-timestamp"
    static let signatureHeader = "webhook-signature"

    /// The value of ``signatureHeader``: `v1,` and the base64 of what only a holder of `key` can compute.
    static func signature(id: String, at time: UnixTime, body: String, key: [UInt8]) -> String {
        let code = HMACSHA256.authenticationCode(of: Array("\(id).\(time.seconds).\(body)".utf8), key: key)
        return "v1,\(Data(code).base64EncodedString())"
    }
}
