import CryptoExtras
package import TollgateCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Signs webhooks as Stripe does.
package enum StripeSignature {
    /// The header `Stripe-Signature` of a body sent at `time`.
    ///
    /// - Parameter secret: All of it is the key, `whsec_` too; it is not base64 here.
    package static func header(body: String, secret: String, time: UnixTime) -> String {
        let key = SymmetricKey(data: Data(secret.utf8))
        let code = HMAC<SHA256>.authenticationCode(for: Data("\(time.seconds).\(body)".utf8), using: key)
        let hexadecimal = code.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0\(digits)" : digits
        }
        return "t=\(time.seconds),v1=\(hexadecimal.joined())"
    }
}
