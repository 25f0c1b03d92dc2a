/// The state of a subscription, in Stripe's words.
package enum SubscriptionStatus: Sendable, Hashable {
    case active
    case trialing
    case pastDue
    case unpaid
    case canceled
    case incomplete
    case incompleteExpired
    case paused
    /// A state that Stripe has added since. It grants nothing until this version is taught otherwise.
    case unknown(String)

    /// As Stripe writes it, such as `past_due`.
    package init(_ name: String) {
        self = Self.named.first { $0.name == name } ?? .unknown(name)
    }

    /// As Stripe writes it. The inverse of ``init(_:)``.
    package var name: String {
        switch self {
        case .active: "active"
        case .trialing: "trialing"
        case .pastDue: "past_due"
        case .unpaid: "unpaid"
        case .canceled: "canceled"
        case .incomplete: "incomplete"
        case .incompleteExpired: "incomplete_expired"
        case .paused: "paused"
        case .unknown(let name): name
        }
    }

    /// Of a subscription that another user has now. Stripe has no such state.
    package static let moved = SubscriptionStatus.unknown("moved")

    /// Of a subscription that goes on at Stripe, while what was paid for its present period was given or taken back, and
    /// the plan is to end with that. Stripe has no such state.
    package static let paymentReturned = SubscriptionStatus.unknown("payment_returned")

    /// The states that Stripe documents.
    package static let named: [SubscriptionStatus] = [
        .active, .trialing, .pastDue, .unpaid, .canceled, .incomplete, .incompleteExpired, .paused,
    ]

    /// The customer is served in this state, when past due for as long as the grace lasts.
    package var isLive: Bool { self == .active || self == .trialing || self == .pastDue }

    /// Stripe never brings a subscription back from this state.
    package var isFinal: Bool { self == .canceled || self == .incompleteExpired }
}
