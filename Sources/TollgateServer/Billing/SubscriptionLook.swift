import Logging
import OutboundCalls
import StripeBilling
import TollgateCore
import TollgateStore

/// Looks at one subscription: asks Stripe how it is, and takes that up into the picture of what its user has bought.
///
/// Events come late, twice and in any order, and say how things were. So they are a reason to look, and no more. Two looks
/// may overtake each other: what began to be asked later counts. The last event of a subscription is looked at after its
/// last change, so in the end the picture is as Stripe has it.
struct SubscriptionLook: Sendable {
    let subscriptions: any SubscriptionStore
    let stripe: StripeClient
    let plansInForce: PlansInForce
    let unknownPrice: UnknownPriceRule
    let returnedPayment: ReturnedPaymentRule
    let pastDueGraceSeconds: Int64

    /// Nil when there is no key for Clerk's Backend API: then the record alone counts.
    let clerkPlans: ClerkPlanUpdater?

    let time: any TimeSource
    let metrics: BillingMetrics
    let logger: Logger

    /// Told when what is known of a user's purchases has changed.
    var onChange: @Sendable (PlanChange) -> Void = { _ in }

    var plans: PlanTable { plansInForce.plans.current }
    var prices: PriceTable { plansInForce.prices.current }

    /// What a look has led to.
    enum Outcome: Sendable, Hashable {
        /// The picture of the user is as Stripe has it.
        case applied
        /// It is known just so.
        case known
        /// Something newer is known.
        case stale
        /// It sells no plan of ours, and never did.
        case foreign
        /// Nothing tells whose it is, as long as no link is made.
        case unknownUser
    }

    /// What is known of a subscription besides what Stripe says of it now.
    struct Hints: Sendable {
        /// What the event says.
        var facts = SubscriptionFacts()

        /// An event says that it has ended: for one that Stripe has no more.
        var isDeleted = false

        /// The payment of a period was returned.
        var returned: ReturnedPayment?

        struct ReturnedPayment: Sendable {
            let period: InvoicedPeriod
            let returnedAt: UnixTime
        }
    }

    /// Times that a picture is made anew because another worker has written it meanwhile.
    private static let maximumAttempts = 16

    /// Looks at what an event is about.
    func look(
        atReasonGivenBy change: SubscriptionChange, writesWhatIsKnown: Bool = true
    ) async throws(WebhookFailure) -> Outcome {
        if change.kind == .customerDeleted, let customer = change.facts.customerID {
            return try await look(atAllOf: customer)
        }
        if change.kind == .paymentReturned, let payment = change.facts.paymentID {
            return try await look(atReturned: payment, change, writesWhatIsKnown)
        }
        guard let id = change.facts.subscriptionID else { return .foreign }
        let hints = Hints(facts: change.facts, isDeleted: change.kind == .deleted)
        return try await look(at: id, hints, writesWhatIsKnown: writesWhatIsKnown)
    }

    private func look(
        atReturned paymentID: String, _ change: SubscriptionChange, _ writesWhatIsKnown: Bool
    ) async throws(WebhookFailure) -> Outcome {
        guard returnedPayment == .end else { return .known }
        let period: InvoicedPeriod?
        do {
            period = try await stripe.period(paidBy: paymentID)
        } catch {
            metrics.stripeError(error)
            throw .stripe(error)
        }
        guard let period else { return .foreign }
        let hints = Hints(returned: .init(period: period, returnedAt: change.eventTime))
        return try await look(at: period.subscriptionID, hints, writesWhatIsKnown: writesWhatIsKnown)
    }

    /// - Parameter writesWhatIsKnown: Whether a look that finds nothing new is written as well. Without, it is
    ///   ``Outcome/known``.
    func look(
        at id: String, _ hints: Hints = Hints(), writesWhatIsKnown: Bool = true
    ) async throws(WebhookFailure) -> Outcome {
        let seenAt = try await stored { () async throws(StoreUnavailable) in try await subscriptions.now(for: id) }
        guard let facts = try await facts(of: id, hints) else { return .unknownUser }
        let outcome = try await take(facts, hints, seenAt: seenAt, writesWhatIsKnown: writesWhatIsKnown)
        if outcome == .unknownUser {
            logger.warning(
                "webhook of an unknown user",
                metadata: ["subscription": "\(id)", "customer": "\(facts.customerID ?? "-")"])
        }
        return outcome
    }

    /// Takes up what Stripe has said of a subscription, among others, when it was asked at `seenAt`.
    func take(_ facts: SubscriptionFacts, seenAt: UnixTime) async throws(WebhookFailure) -> Outcome {
        try await take(facts, Hints(), seenAt: seenAt, writesWhatIsKnown: false)
    }

    private func take(
        _ facts: SubscriptionFacts, _ hints: Hints, seenAt: UnixTime, writesWhatIsKnown: Bool
    ) async throws(WebhookFailure) -> Outcome {
        guard let user = try await user(of: facts, hints) else { return .unknownUser }
        if !writesWhatIsKnown, try await hasEndedUnseen(facts, for: user) { return .foreign }
        let (outcome, isUnpriced) = try await take(
            facts, for: user, returnedAt: hints.returned?.moment(in: facts.period), seenAt: seenAt, writesWhatIsKnown)
        guard outcome != .foreign else { return try await passOver(facts, hints, of: user, seenAt: seenAt) }
        guard outcome == .applied || outcome == .known || outcome == .stale && writesWhatIsKnown else { return outcome }
        // What is known is known in full only when these steps were taken as well: a worker may have died before them, and
        // Clerk may have been away.
        let isNamed = (facts.userID ?? hints.facts.userID) != nil
        try await recordOwner(of: facts, user, isNamed: isNamed, seenAt: seenAt)
        try await expectEnd(of: facts, user)
        try await note(isUnpriced, facts)
        try await clerkPlans?.tell(of: user)
        return outcome
    }

    private func note(_ isUnpriced: Bool, _ facts: SubscriptionFacts) async throws(WebhookFailure) {
        guard let id = facts.subscriptionID else { return }
        try await stored { () async throws(StoreUnavailable) in
            try await subscriptions.noteUnpriced(id, at: isUnpriced ? time.now() : nil)
        }
    }

    /// How long an event may be late that tells what follows a period.
    static let patienceSeconds: Int64 = 86_400

    /// Whether the latest invoice is paid, and since when it is not: where a payment begins to be owed, of which the event may
    /// have been lost, and where a period follows one whose payment was returned. Nil otherwise, and for a key that may not
    /// read invoices.
    private func latestInvoice(
        of facts: SubscriptionFacts, _ user: UserID
    ) async throws(WebhookFailure) -> StripeInvoice? {
        guard facts.status == .pastDue || returnedPayment == .end, let id = facts.latestInvoiceID else { return nil }
        let known = try await stored { () async throws(StoreUnavailable) in
            try await subscriptions.purchases(of: user)
        }.purchases.subscriptions[facts.subscriptionID ?? ""]
        let beginsToBeOwed = facts.status == .pastDue && known?.status != .pastDue
        let follows = known?.paymentReturnedAt.map { returned in facts.period.map { $0.start > returned } ?? false }
        guard beginsToBeOwed || follows == true else { return nil }
        do {
            return try await stripe.invoice(id: id)
        } catch {
            guard error.httpStatus == 403 || error.httpStatus == 404 else { throw .stripe(error) }
            return nil
        }
    }

    /// When the subscription is to be looked at if no event tells of it: a day after its period, and when the user's plan
    /// changes by itself, for the summary then says something else.
    ///
    /// One whose period is over already is overdue from now on: what an event should have told may be told late.
    private func expectEnd(of facts: SubscriptionFacts, _ user: UserID) async throws(WebhookFailure) {
        guard let id = facts.subscriptionID else { return }
        let now = time.now()
        let known = try await stored { () async throws(StoreUnavailable) in
            try await subscriptions.purchases(of: user)
        }
        let graceEnd = known.purchases.subscriptions[id]?.pastDueSince?.adding(seconds: pastDueGraceSeconds)
        let changes = [graceEnd, known.recordSeconds.map { now.adding(seconds: $0 + 1) }].compactMap(\.self)
            .filter { $0 > now }.map { $0.adding(seconds: -Self.patienceSeconds) }
        let end = facts.status?.isLive == true ? facts.period.map { max($0.end, now) } : nil
        let moment = facts.status?.isLive == true ? ([end].compactMap(\.self) + changes).min() : nil
        try await stored { () async throws(StoreUnavailable) in
            try await subscriptions.expectEnd(of: id, at: moment)
        }
    }

    /// Looks at all subscriptions of a customer who was deleted. Stripe has ended them, but the events of that may be lost.
    func look(atAllOf customerID: String) async throws(WebhookFailure) -> Outcome {
        guard let user = try await owner(of: customerID) else { return .unknownUser }
        let known = try await stored { () async throws(StoreUnavailable) in
            try await subscriptions.purchases(of: user)
        }
        var outcome = Outcome.stale
        for subscription in known.purchases.subscriptions.values
        where subscription.customerID == customerID && !subscription.status.isFinal {
            var hints = Hints(isDeleted: true)
            hints.facts.subscriptionID = subscription.id
            hints.facts.customerID = customerID
            if try await look(at: subscription.id, hints) == .applied { outcome = .applied }
        }
        return outcome
    }

    /// Nil when Stripe has none of that id, and no event says that it has ended.
    private func facts(of id: String, _ hints: Hints) async throws(WebhookFailure) -> SubscriptionFacts? {
        do {
            if var facts = try await stripe.subscription(id: id) {
                if facts.tier == nil { (facts.tier, facts.soldPriceID) = (hints.facts.tier, hints.facts.soldPriceID) }
                return facts
            }
        } catch {
            metrics.stripeError(error)
            throw .stripe(error)
        }
        guard hints.isDeleted else { return nil }
        var facts = hints.facts
        facts.status = .canceled
        return facts
    }

    /// Whether the subscription ended before anything was known of it. It has never served anyone here, so it is no reason
    /// to change the plan that its user has by now, such as one that was given in Clerk's dashboard.
    private func hasEndedUnseen(_ facts: SubscriptionFacts, for user: UserID) async throws(WebhookFailure) -> Bool {
        guard facts.status?.isFinal == true, let id = facts.subscriptionID else { return false }
        guard try await owner(of: id) == nil else { return false }
        // An earlier version knew subscriptions by their customers.
        if let customerID = facts.customerID, let before = try await owner(of: customerID), before != user {
            return false
        }
        return try await stored { () async throws(StoreUnavailable) in
            try await subscriptions.purchases(of: user).purchases.subscriptions[id] == nil
        }
    }

    /// Whether nothing that an event says of a subscription is missing in what is known, for one that was looked at after
    /// the event.
    func isSettled(_ change: SubscriptionChange) async throws(WebhookFailure) -> Bool {
        switch change.kind {
        case .subscription, .checkoutPaid, .paymentSucceeded, .paymentFailed: break
        // Stripe may have it no more, or does not tell with the subscription.
        case .deleted, .customerDeleted, .paymentReturned: return false
        }
        guard let id = change.facts.subscriptionID, let owner = try await owner(of: id) else { return false }
        return change.facts.userID.map { $0 == owner } ?? true
    }

    /// Whether the prices that a subscription had when it was seen last sell a plan by now.
    func isSold(_ id: String) async throws(WebhookFailure) -> Bool {
        guard let owner = try await owner(of: id) else { return false }
        let known = try await stored { () async throws(StoreUnavailable) in
            try await subscriptions.purchases(of: owner)
        }
        return known.purchases.subscriptions[id].map { prices.plan(soldBy: $0.priceIDs) != nil } ?? false
    }

    // MARK: Whose it is

    /// By the metadata, which only the account's owner writes; else by whose customer it is; else by what the payer of a
    /// payment link has named, who may name anyone, and so takes nothing from them.
    ///
    /// Whose customer it is may be known by a subscription that one user pays for another. So where a subscription is new,
    /// or was another's before, the customer is asked first.
    private func user(of facts: SubscriptionFacts, _ hints: Hints) async throws(WebhookFailure) -> UserID? {
        if let user = facts.userID ?? hints.facts.userID { return user }
        if let customerID = facts.customerID {
            let known = try await owner(of: customerID)
            let isDoubtful = try await isDoubtful(facts, of: known)
            if isDoubtful, let named = try await customerMetadata(customerID) { return named }
            if let known { return known }
        }
        guard let named = hints.facts.reference else { return nil }
        let record = try await stored { () async throws(StoreUnavailable) in try await subscriptions.record(of: named) }
        let isTaken = record.map { $0.status.isLive && !$0.isByHand && $0.customerID != facts.customerID } ?? false
        return isTaken ? nil : named
    }

    /// Whether a subscription that names nobody need not be of the one whose customer it is. Whose one of another product
    /// is does not matter.
    private func isDoubtful(
        _ facts: SubscriptionFacts, of known: UserID?
    ) async throws(WebhookFailure) -> Bool {
        guard let id = facts.subscriptionID, let before = try await owner(of: id) else { return sellsAPlan(facts) }
        return before != known
    }

    private func sellsAPlan(_ facts: SubscriptionFacts) -> Bool {
        prices.plan(soldBy: facts.priceIDs) != nil || facts.tier != nil
    }

    private func customerMetadata(_ customerID: String) async throws(WebhookFailure) -> UserID? {
        do {
            return try await stripe.user(ofCustomer: customerID)
        } catch {
            metrics.stripeError(error)
            throw .stripe(error)
        }
    }

    /// Remembers whose subscription and whose customer it is. The user who had the subscription before loses it; one who
    /// bought with an earlier version is known by the customer alone.
    ///
    /// - Parameter isNamed: The subscription names its user itself. That tells nothing of the customer's other
    ///   subscriptions, as long as another user has one of them.
    private func recordOwner(
        of facts: SubscriptionFacts, _ user: UserID, isNamed: Bool, seenAt: UnixTime
    ) async throws(WebhookFailure) {
        for id in [facts.subscriptionID, facts.customerID].compactMap(\.self) {
            let before = try await owner(of: id)
            guard before != user else { continue }
            if let before, let subscription = facts.subscriptionID {
                try await takeAway(subscription, from: before, seenAt: seenAt)
            }
            if isNamed, id == facts.customerID, let before, try await pays(id, for: before) { continue }
            try await stored { () async throws(StoreUnavailable) in
                try await subscriptions.recordCustomer(id, of: user)
            }
        }
    }

    /// Whether the customer has another subscription that serves the user, or may do so again.
    private func pays(_ customerID: String, for user: UserID) async throws(WebhookFailure) -> Bool {
        let known = try await stored { () async throws(StoreUnavailable) in
            try await subscriptions.purchases(of: user)
        }
        return known.purchases.subscriptions.values.contains {
            $0.customerID == customerID && !$0.status.isFinal && $0.status != .moved
        }
    }

    private func owner(of id: String) async throws(WebhookFailure) -> UserID? {
        try await stored { () async throws(StoreUnavailable) in try await subscriptions.user(ofCustomer: id) }
    }

    /// What sells the user no plan may have sold another user one before it moved, or may sell the user one later: who has
    /// named the user in a payment link says so once.
    private func passOver(
        _ facts: SubscriptionFacts, _ hints: Hints, of user: UserID, seenAt: UnixTime
    ) async throws(WebhookFailure) -> Outcome {
        if let customerID = facts.customerID, hints.facts.reference == user, try await owner(of: customerID) == nil {
            try await stored { () async throws(StoreUnavailable) in
                try await subscriptions.recordCustomer(customerID, of: user)
            }
        }
        guard let id = facts.subscriptionID, let before = try await owner(of: id), before != user else {
            return .foreign
        }
        return try await takeAway(id, from: before, seenAt: seenAt) ? .applied : .foreign
    }

    /// - Returns: False when the user has lost it already, or has it again.
    @discardableResult
    private func takeAway(_ id: String, from user: UserID, seenAt: UnixTime) async throws(WebhookFailure) -> Bool {
        guard try await change(user, { $0.lose(id, seenAt: seenAt) ? .applied : .stale }) == .applied else {
            return false
        }
        try await clerkPlans?.tell(of: user)
        return true
    }

    // MARK: The picture

    private func take(
        _ facts: SubscriptionFacts, for user: UserID, returnedAt: UnixTime?, seenAt: UnixTime,
        _ writesWhatIsKnown: Bool
    ) async throws(WebhookFailure) -> (Outcome, isUnpriced: Bool) {
        let now = time.now()
        let latestInvoice = try await latestInvoice(of: facts, user)
        var (hasUnknownPrice, isSurplus, isUnpriced) = (false, false, false)
        let outcome = try await change(user) { purchases in
            let known = facts.subscriptionID.flatMap { purchases.subscriptions[$0] }
            guard
                let seen = Subscription(
                    facts, known: known, prices: prices, unknownPrice: unknownPrice, returnedAt: returnedAt,
                    latestInvoice: latestInvoice, seenAt: seenAt, now: now)
            else { return .foreign }
            guard seen.plan != nil || known != nil else { return .foreign }
            isUnpriced = seen.status.isLive && facts.soldPlan(known: known, prices: prices) == nil
            if !writesWhatIsKnown, known?.says(as: seen) == true { return .known }
            hasUnknownPrice =
                isUnpriced && known?.plan != nil && (seen.plan == nil || seen.priceIDs != known?.priceIDs)
            if purchases.take(seen, plans: plans) { return .applied }
            isSurplus = seen.status.isLive && purchases.subscriptions[seen.id] == nil
            // A later look cannot know of it: Stripe does not tell it with the subscription.
            let isReturned = returnedAt.map { purchases.returnPayment(of: seen.id, at: $0) } ?? false
            return isReturned ? .applied : .stale
        }
        if isSurplus {
            logger.warning(
                "a user has more live subscriptions than are kept; those of the best plans count",
                metadata: [
                    "user": "\(user)", "subscription": "\(facts.subscriptionID ?? "-")",
                    "kept": "\(Purchases.maximumCount)",
                ])
        }
        if hasUnknownPrice, outcome == .applied { reportUnknownPrice(facts, of: user) }
        return (outcome, isUnpriced)
    }

    /// Applies `change` to what the user has bought, as often as another worker comes in between.
    private func change(
        _ user: UserID, _ change: (inout Purchases) -> Outcome
    ) async throws(WebhookFailure) -> Outcome {
        for _ in 0..<Self.maximumAttempts {
            let known = try await stored { () async throws(StoreUnavailable) in
                try await subscriptions.purchases(of: user)
            }
            var purchases = known.purchases
            let outcome = change(&purchases)
            guard outcome == .applied || outcome == .known else { return outcome }
            let record = purchases.record(
                replacing: known.record, at: time.now(), plans: plans, pastDueGraceSeconds: pastDueGraceSeconds)
            // What was bought may be known, and its sum gone: by hand, or with the end of a plan that was given by hand.
            if outcome == .known, record.map({ known.record.map($0.says) ?? false }) ?? (known.record == nil) {
                return .known
            }
            let isWritten = try await stored { () async throws(StoreUnavailable) in
                try await subscriptions.write(purchases, record, of: user, over: known)
            }
            if isWritten {
                onChange(PlanChange(user: user, before: plan(in: known.record), after: plan(in: record)))
                return .applied
            }
        }
        throw .store(
            StoreUnavailable(.unreachable, reason: "other workers wrote the same user's purchases all the while"))
    }

    private func plan(in record: SubscriptionRecord?) -> String {
        record?.grantedPlan(at: time.now(), pastDueGraceSeconds: pastDueGraceSeconds) ?? PlanTable.fallbackName
    }

    private func reportUnknownPrice(_ facts: SubscriptionFacts, of user: UserID) {
        metrics.unknownPrice()
        logger.warning(
            "a subscription has a price that sells no plan",
            metadata: [
                "user": "\(user)", "subscription": "\(facts.subscriptionID ?? "-")",
                "prices": "\(facts.priceIDs.joined(separator: " "))",
            ])
    }
}

extension SubscriptionLook.Hints.ReturnedPayment {
    /// When the payment of `current`, the period that the subscription has now, was returned. Nil when it was the payment
    /// of an earlier one, whose calls are over.
    fileprivate func moment(in current: SubscriptionPeriod?) -> UnixTime? {
        current.map(period.isOf) ?? true ? returnedAt : nil
    }
}
