/// Keeps what billing says of every user's plan.
package protocol SubscriptionStore: Sendable {
    /// The user's record. Nil when billing has never said anything of them.
    func record(of user: UserID) async throws(StoreUnavailable) -> SubscriptionRecord?

    /// The time of the store, which orders what workers see of a subscription: read before the provider is asked. Of one
    /// subscription it is always the same server's.
    func now(for subscriptionID: String) async throws(StoreUnavailable) -> UnixTime

    /// All that the user has bought, and the record that sums it up.
    func purchases(of user: UserID) async throws(StoreUnavailable) -> KnownPurchases

    /// Writes `purchases` and `record`, in one step, if nothing was written since `known` was read.
    ///
    /// - Returns: False when something was: what was seen is to be taken up anew.
    func write(
        _ purchases: Purchases, _ record: SubscriptionRecord?, of user: UserID, over known: KnownPurchases
    ) async throws(StoreUnavailable) -> Bool

    /// Makes `customerID` the user's own customer at the provider: the one that buys, and that the portal shows.
    ///
    /// - Parameter known: The one that it is to replace, if there is any.
    /// - Returns: The user's own customer from now on: another one if another worker has recorded one meanwhile.
    func recordOwnCustomer(
        _ customerID: String, of user: UserID, replacing known: String?
    ) async throws(StoreUnavailable) -> String

    /// Asks for a user's turn to open a checkout: two that were opened at once could both be paid. A lease, which ends by
    /// itself when the worker dies.
    ///
    /// - Parameter token: Names this turn among all others; random.
    func holdCheckout(of user: UserID, token: String) async throws(StoreUnavailable) -> Bool

    /// Gives the turn back.
    func releaseCheckout(of user: UserID, token: String) async throws(StoreUnavailable)

    /// Asks for a user's turn to tell Clerk. One worker at a time has it, or an older record could reach Clerk after a
    /// newer one; and the next worker finds the newest record told, or tells it for all that waited.
    ///
    /// The turn is a lease. That of a worker that dies expires, later than its last call of Clerk can still arrive.
    ///
    /// - Parameter token: Names this worker's turn among all others; random.
    func beginClerkUpdate(of user: UserID, token: String) async throws(StoreUnavailable) -> ClerkUpdateTurn

    /// Gives the turn back.
    ///
    /// - Parameter record: That Clerk was told, which is noted unless Clerk would hear something else by now. Nil when Clerk
    ///   was not told.
    func endClerkUpdate(
        of user: UserID, token: String, toldOf record: SubscriptionRecord?, at time: UnixTime
    ) async throws(StoreUnavailable)

    /// Remembers whose customer this is, for events that name no user, or whose subscription. May be repeated.
    func recordCustomer(_ id: String, of user: UserID) async throws(StoreUnavailable)

    /// Whose customer this is, or whose subscription. Nil when it was never recorded.
    func user(ofCustomer id: String) async throws(StoreUnavailable) -> UserID?

    /// Remembers until when a subscription needs no look: its period ends then, and an event tells what follows. May be
    /// repeated.
    ///
    /// - Parameter time: Nil when nothing follows.
    func expectEnd(of subscriptionID: String, at time: UnixTime?) async throws(StoreUnavailable)

    /// How many live subscriptions have a price that sells no plan, and those of them that were seen longest ago.
    func unpricedSubscriptions(
        maximumCount: Int
    ) async throws(StoreUnavailable) -> (count: Int, ids: [String])

    /// Remembers that a live subscription has a price that sells no plan. May be repeated.
    ///
    /// - Parameter time: When that was seen. Nil when it is not so, or not any more.
    func noteUnpriced(_ subscriptionID: String, at time: UnixTime?) async throws(StoreUnavailable)

    /// Subscriptions whose end was expected before `time`, those that are overdue longest first.
    func overdueSubscriptions(
        before time: UnixTime, maximumCount: Int
    ) async throws(StoreUnavailable) -> [String]
}

/// What a user has bought, as it was read.
package struct KnownPurchases: Sendable, Hashable {
    package let purchases: Purchases
    package let record: SubscriptionRecord?

    /// For how long an operator lets the record live. Nil for ever.
    package let recordSeconds: Int64?

    /// The user's own customer at the provider. Nil when none was made or proved to be theirs: what a user has may have been
    /// bought by another's.
    package let ownCustomerID: String?

    package init(
        purchases: Purchases, record: SubscriptionRecord?, recordSeconds: Int64? = nil, ownCustomerID: String? = nil
    ) {
        self.purchases = purchases
        self.record = record
        self.recordSeconds = recordSeconds
        self.ownCustomerID = ownCustomerID
    }
}

/// The answer to asking for the turn to tell Clerk of a user's plan.
package enum ClerkUpdateTurn: Sendable, Hashable {
    /// The turn is ours, and this is what to tell.
    case due(SubscriptionRecord)

    /// Clerk knows already, or there is nothing to tell.
    case upToDate

    /// Another worker has the turn.
    case taken
}

/// Sees to it that every webhook event is worked on by one worker at a time, and not again once it is done.
///
/// A claim is a lease: that of a worker that dies in the middle expires, and the sender's next try finishes the
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
    /// The user's credentials. Those of the first call are kept: concurrent calls get the same pair.
    ///
    /// - Parameter candidate: Kept, and returned, when the user has none yet. That is a change of their keys.
    func credentials(
        for user: UserID, candidate: Credentials, at time: UnixTime
    ) async throws(StoreUnavailable) -> CredentialKeeping

    /// The user's credentials, as they are. Nil when there are none yet.
    func stored(for user: UserID) async throws(StoreUnavailable) -> Credentials?

    /// The user's credentials, made usable if a crash had left them half made. Nil when there are none yet.
    func existing(for user: UserID) async throws(StoreUnavailable) -> Credentials?

    /// Gives the platform a new key. The one so far works for `overlapSeconds` more; one before that ends at once.
    ///
    /// - Parameter overlapSeconds: 0 to ``KeyLimits/maximumOverlapSeconds``; more is taken as that.
    func rotate(
        for user: UserID, to key: PlatformKey, overlapSeconds: Int64, at time: UnixTime
    ) async throws(StoreUnavailable) -> CredentialRotation

    /// Ends the platform's key, and the one before it. May be repeated. The platform keeps its name, and the next call of
    /// ``credentials(for:candidate:at:)`` gives it another key.
    func revoke(for user: UserID, at time: UnixTime) async throws(StoreUnavailable) -> KeyRevocation
}

/// The outcome of asking for credentials.
package enum CredentialKeeping: Sendable, Hashable {
    /// Those that the user has now.
    case kept(Credentials)
    /// The user has none, and has changed keys too often lately.
    case tooOften(KeyChangeRefusal)
}

/// What became of a rotation of credentials.
package enum CredentialRotation: Sendable, Hashable {
    case rotated(Credentials)
    /// The user has none.
    case unknown
    /// The user has changed keys too often lately.
    case tooOften(KeyChangeRefusal)
}
