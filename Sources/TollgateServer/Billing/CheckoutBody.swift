#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif
import NIOCore

/// The body of `POST /create-checkout`: none, or `{"tier": "…"}`.
struct CheckoutBody: Decodable {
    let tier: String?

    /// The plan that is asked for. Nil when the body names none.
    static func tier(in body: ByteBuffer) throws(APIError) -> String? {
        guard body.readableBytes > 0 else { return nil }
        do {
            return try JSONDecoder().decode(CheckoutBody.self, from: Data(body.readableBytesView)).tier
        } catch {
            throw .badRequest("The body is not of the form {\"tier\": \"paid\"}. It may be left out.")
        }
    }
}
