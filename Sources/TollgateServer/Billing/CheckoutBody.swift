import JSONValue
import NIOCore
import TollgateDataPlane

/// The body of `POST /create-checkout`: none, or `{"tier": "…"}`.
enum CheckoutBody {
    private static let similar = ["plan", "price", "priceId"]

    /// The plan that is asked for. Nil when the body names none.
    static func tier(in body: ByteBuffer) throws(APIError) -> String? {
        guard body.readableBytes > 0 else { return nil }
        if let object = JSON(parsing: body.readableBytesView), case .object = object {
            // One that says what it wants in other words must not be sold another plan.
            if object["tier"] == .null, let other = Self.similar.first(where: { object[$0] != .null }) {
                throw .badRequest("'\(other)' is not known here. Name the plan: {\"tier\": \"paid\"}.")
            }
            switch object["tier"] {
            case .null: return nil
            case .string(let tier): return tier
            default: break
            }
        }
        throw .badRequest("The body is not of the form {\"tier\": \"paid\"}. It may be left out.")
    }
}
