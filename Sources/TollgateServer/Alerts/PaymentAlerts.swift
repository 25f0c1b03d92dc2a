import StripeBilling
import TollgateCore
import TollgateStore

/// Tells of payments that did not come in, as Stripe's events say.
struct PaymentAlerts: Sendable {
    let outboxes: RedisAlertOutboxes
    let subscriptions: any SubscriptionStore
    let time: any TimeSource

    /// Puts the alert of an event into the outbox, if it is one of a payment that failed, of a user whom we know. May be
    /// repeated. Without room in the outbox it is left out: the plan counts all the same.
    func note(_ change: SubscriptionChange) async throws(StoreUnavailable) {
        guard change.kind == .paymentFailed, let collection = change.collection,
            let subscriptionID = change.facts.subscriptionID,
            let user = try await subscriptions.user(ofCustomer: subscriptionID)
        else { return }
        let alert = Alert.paymentFailed(
            .init(
                user: user, customerID: change.facts.customerID, subscriptionID: subscriptionID,
                invoiceID: collection.invoiceID, attempt: collection.attempt))
        _ = try await outboxes.add([alert], at: time.now())
    }
}
