import OutboundCalls
import StripeBilling
import TollgateCore

/// Looks at all that a user has, before more is sold: events may have been missed.
extension SubscriptionLook {
    /// Looks at what the user's own customer has and at what the user is believed to have besides, such as what another's
    /// customer pays for.
    ///
    /// - Returns: What the user has bought.
    func lookAtAll(of user: UserID, customerID: String) async throws(WebhookFailure) -> KnownPurchases {
        let found: [SubscriptionFacts]
        do {
            found = try await stripe.subscriptions(ofCustomer: customerID)
        } catch {
            metrics.stripeError(error)
            throw .stripe(error)
        }
        // One that the account's owner has given to another user counts there.
        let owned = found.filter { $0.userID == nil || $0.userID == user }.compactMap(\.subscriptionID)
        let known = try await purchases(of: user)
        let ids = known.lastingSubscriptions.union(owned)
        for id in ids.sorted() { try await lookWithoutClerk(at: id) }
        return ids.isEmpty ? known : try await purchases(of: user)
    }

    /// A purchase must not fail for what Clerk does: what it was not told, it is told with the next event.
    private func lookWithoutClerk(at id: String) async throws(WebhookFailure) {
        do {
            _ = try await look(at: id)
        } catch {
            switch error {
            case .clerk, .clerkIsBusy: break
            case .store, .stripe: throw error
            }
        }
    }

    private func purchases(of user: UserID) async throws(WebhookFailure) -> KnownPurchases {
        do { return try await subscriptions.purchases(of: user) } catch { throw .store(error) }
    }
}

extension KnownPurchases {
    /// The user has a subscription that goes on, paid or not: it can be changed or settled in the portal. One of another
    /// customer counts while it serves: who has paid it may have named any user, and must not keep this one from buying.
    func hasSubscription(of customerID: String) -> Bool {
        lastingSubscriptions.contains { id in
            guard let known = purchases.subscriptions[id] else { return true }
            return known.status.isLive || known.customerID == customerID
        }
    }

    /// The ids of those. A record of a time when only one was kept has one that may not be among the purchases.
    fileprivate var lastingSubscriptions: Set<String> {
        var ids = Set(purchases.subscriptions.values.filter { $0.status.isLasting }.map(\.id))
        if let id = record?.subscriptionID, purchases.subscriptions[id] == nil, record?.status.isLasting == true {
            ids.insert(id)
        }
        return ids
    }
}

extension SubscriptionStatus {
    fileprivate var isLasting: Bool { !isFinal && self != .incomplete && self != .moved }
}
