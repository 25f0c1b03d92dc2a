import StripeBilling
import TollgateCore

/// Carries out one of Stripe's events again, whatever became of it before: looks at the subscription that it is about.
struct EventReplayer: Sendable {
    static let unknown = "unknown"

    let look: SubscriptionLook
    let stripe: StripeClient

    /// - Returns: What has become of it, in a word: ``unknown`` when Stripe has no such event.
    func replay(_ id: String) async throws(WebhookFailure) -> String {
        let event: StripeEvent?
        do { event = try await stripe.event(id: id) } catch { throw .stripe(error) }
        guard let event else { return Self.unknown }
        switch event.isLive == stripe.isLive ? event.meaning : .ignored(.otherMode) {
        case .ignored(let reason): return "ignored (\(reason.rawValue))"
        case .subscriptionChanged(let change):
            return switch try await look.look(atReasonGivenBy: change) {
            case .applied: "applied"
            case .known, .stale: "known already"
            case .foreign: "foreign"
            case .unknownUser: "unknown user"
            }
        }
    }
}
