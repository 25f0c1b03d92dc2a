/// Keeps what billing says of every user's plan.
package protocol SubscriptionStore: Sendable {
    /// The user's record. Nil when billing has never said anything of them.
    func record(of user: UserID) async throws(StoreUnavailable) -> SubscriptionRecord?

    /// Decides and writes in one step, for all workers together: ``SubscriptionRecord/applying(_:to:at:)``.
    func apply(_ update: SubscriptionUpdate, at time: UnixTime) async throws(StoreUnavailable) -> SubscriptionOutcome

    /// Notes that Clerk now says what the record says that came from `eventID`.
    ///
    /// - Returns: False when the record comes from another event by now. Clerk must then be told once more: it may
    ///   have heard of the two in the wrong order.
    func markClerkUpdated(
        _ user: UserID, eventID: String, at time: UnixTime
    ) async throws(StoreUnavailable) -> Bool

    /// Remembers whose customer this is, for events that name no user. May be repeated.
    func recordCustomer(_ customerID: String, of user: UserID) async throws(StoreUnavailable)

    /// Whose customer this is. Nil when nobody has told.
    func user(ofCustomer customerID: String) async throws(StoreUnavailable) -> UserID?
}

/// Sees to it that every webhook event is worked on by one worker at a time, and not again once it is done.
///
/// A claim is a lease: a worker that dies in the middle loses it by and by, and the sender's next try finishes the
/// work. All work on an event must therefore bear to be repeated.
package protocol WebhookLedger: Sendable {
    /// Claims the event.
    ///
    /// - Parameter token: Names this try among all others; random.
    func claim(eventID: String, token: String) async throws(StoreUnavailable) -> WebhookClaim

    /// Notes that the work is done, so that the event is not worked on again for a month.
    ///
    /// - Returns: False when the lease had run out before. Another worker may be at it, or the event will be worked on
    ///   once more when it is sent again.
    @discardableResult
    func markDone(eventID: String, token: String, at time: UnixTime) async throws(StoreUnavailable) -> Bool

    /// Gives the claim back after a failure, so that the next try need not wait for the lease to run out.
    ///
    /// - Returns: False when the lease had run out before.
    @discardableResult
    func release(eventID: String, token: String) async throws(StoreUnavailable) -> Bool
}

/// The answer to a claim.
package enum WebhookClaim: Sendable, Hashable {
    /// The event is ours until the lease runs out.
    case claimed

    /// Another try is working on it, for so many more seconds at most.
    case inWork(retryAfterSeconds: Int64)

    /// It is done already.
    case done
}

/// Keeps every user's platform credentials.
package protocol CredentialStore: Sendable {
    /// The user's credentials. Those of the first caller are everybody's: concurrent callers get the same pair.
    ///
    /// - Parameter candidate: Kept, and returned, when the user has none yet.
    func credentials(
        for user: UserID, candidate: Credentials
    ) async throws(StoreUnavailable) -> Credentials

    /// The user's credentials. Nil when there are none yet.
    func existing(for user: UserID) async throws(StoreUnavailable) -> Credentials?
}
