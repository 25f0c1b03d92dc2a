import OutboundCalls
import StripeBilling
import TollgateCore

/// Which customer of Stripe's each user is: the one that buys, and that the portal shows.
///
/// There is one for each user, made before the first checkout and kept. A subscription that serves the user need not be
/// that customer's: the payer of a payment link may name any user (`client_reference_id`). So a customer is the user's
/// own only if we have made it, or if its metadata, or that of its subscription, names the user: only the owner of the
/// account writes those.
struct StripeCustomers: Sendable {
    let subscriptions: any SubscriptionStore
    let stripe: StripeClient
    let time: any TimeSource
    let metrics: BillingMetrics

    /// Subscriptions whose customers are asked for, to find the user's own among them.
    private static let maximumCandidates = 4

    /// The user's own customer. Nil when there is none, or none that is proved to be theirs.
    func ownCustomer(of user: UserID) async throws(WebhookFailure) -> String? {
        let known = try await stored { () async throws(StoreUnavailable) in
            try await subscriptions.purchases(of: user)
        }
        if let customerID = known.ownCustomerID { return customerID }
        for candidate in candidates(known).prefix(Self.maximumCandidates) {
            guard try await isOwn(candidate, of: user) else { continue }
            return try await record(candidate.customerID, of: user, replacing: nil)
        }
        return nil
    }

    /// The user's own customer, made if there is none.
    func customerOrNew(of user: UserID) async throws(WebhookFailure) -> String {
        if let customerID = try await ownCustomer(of: user) { return customerID }
        return try await makeCustomer(for: user, replacing: nil)
    }

    /// - Parameter gone: The user's customer so far, whom Stripe has no more.
    func makeCustomer(for user: UserID, replacing gone: String?) async throws(WebhookFailure) -> String {
        let made = try await asked { () async throws(CallError) in
            try await stripe.createCustomer(for: user, replacing: gone, at: time.now())
        }
        let own = try await record(made, of: user, replacing: gone)
        // For events that name no user.
        try await stored { () async throws(StoreUnavailable) in try await subscriptions.recordCustomer(own, of: user) }
        return own
    }

    // MARK: Whose customer it is

    private struct Candidate: Hashable {
        let customerID: String
        let subscriptionID: String?
    }

    /// The customers of what the user has, of live subscriptions first: those of a time when no customer was kept.
    private func candidates(_ known: KnownPurchases) -> [Candidate] {
        let bought = known.purchases.subscriptions.values.filter { $0.status != .moved }
            .sorted { ($0.status.isLive ? 1 : 0, $0.seenAt) > ($1.status.isLive ? 1 : 0, $1.seenAt) }
            .compactMap { subscription in
                subscription.customerID.map { Candidate(customerID: $0, subscriptionID: subscription.id) }
            }
        let summed = known.record.flatMap { record in
            record.customerID.map { Candidate(customerID: $0, subscriptionID: record.subscriptionID) }
        }
        return bought + (summed.map { bought.contains($0) ? [] : [$0] } ?? [])
    }

    private func isOwn(_ candidate: Candidate, of user: UserID) async throws(WebhookFailure) -> Bool {
        let named = try await asked { () async throws(CallError) in
            try await stripe.user(ofCustomer: candidate.customerID)
        }
        if let named { return named == user }
        guard let id = candidate.subscriptionID else { return false }
        let facts = try await asked { () async throws(CallError) in try await stripe.subscription(id: id) }
        return facts?.userID == user && facts?.customerID == candidate.customerID
    }

    private func record(
        _ customerID: String, of user: UserID, replacing known: String?
    ) async throws(WebhookFailure) -> String {
        try await stored { () async throws(StoreUnavailable) in
            try await subscriptions.recordOwnCustomer(customerID, of: user, replacing: known)
        }
    }

    // MARK: Failures

    /// Counts what Stripe fails at.
    func asked<Value>(_ call: () async throws(CallError) -> Value) async throws(WebhookFailure) -> Value {
        do {
            return try await call()
        } catch {
            metrics.stripeError(error)
            throw .stripe(error)
        }
    }
}
