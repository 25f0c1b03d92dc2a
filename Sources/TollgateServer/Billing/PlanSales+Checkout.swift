import Libcrypto
import OutboundCalls
import StripeBilling
import TollgateCore

/// Selling one plan to one user.
extension PlanSales {
    /// What asking for a checkout leads to.
    enum Checkout: Sendable {
        /// The page on which the user pays.
        case page(CheckoutSession)

        /// The user has a subscription, beside which a second would be paid for, or was given the plan.
        ///
        /// - Parameter record: What it says of the user's plan, as Stripe has just told.
        case alreadySubscribed(SubscriptionRecord?)
    }

    /// Opens the page on which `user` buys a plan, or finds the one that is open.
    ///
    /// The customer comes first: a page without one would make another customer of the user, and a second subscription
    /// besides. Pages that sell something else are ended before it is seen what the user has, so that nothing is bought in
    /// between.
    ///
    /// - Parameter plan: The one that the user has.
    func checkout(
        of tier: String, priceID: String, for user: UserID, on plan: String, at now: UnixTime
    ) async throws(WebhookFailure) -> Checkout {
        let token = RandomBytes.hex(count: 16)
        try await beginCheckout(of: user, token)
        do {
            let checkout = try await checkoutInTurn(of: tier, priceID: priceID, for: user, on: plan, at: now)
            await endCheckout(of: user, token)
            return checkout
        } catch {
            await endCheckout(of: user, token)
            throw error
        }
    }

    /// How long to wait for another checkout of the user that is being opened.
    private static let patience: Duration = .seconds(10)
    private static let pause: Duration = .milliseconds(50)

    /// Two that were opened at once could both be paid.
    private func beginCheckout(of user: UserID, _ token: String) async throws(WebhookFailure) {
        let deadline = ContinuousClock.now + Self.patience
        while true {
            do {
                if try await customers.subscriptions.holdCheckout(of: user, token: token) { return }
            } catch {
                throw .store(error)
            }
            guard .now < deadline, (try? await Task.sleep(for: Self.pause)) != nil else {
                throw .stripe(CallError(.stripe, .timedOut, "Another checkout of the user is being opened."))
            }
        }
    }

    /// A task of its own, for the present one may have been cancelled: then Redis would not be asked.
    private func endCheckout(of user: UserID, _ token: String) async {
        await Task { [customers] in try? await customers.subscriptions.releaseCheckout(of: user, token: token) }.value
    }

    private func checkoutInTurn(
        of tier: String, priceID: String, for user: UserID, on plan: String, at now: UnixTime
    ) async throws(WebhookFailure) -> Checkout {
        let customerID = try await customers.customerOrNew(of: user)
        var request = CheckoutRequest(
            userID: user, tier: tier, priceID: priceID, successURL: returnURL(after: "success"),
            cancelURL: returnURL(after: "cancelled"), customerID: customerID)
        do {
            return try await checkout(request, by: customerID, on: plan, at: now)
        } catch {
            // Deleted at Stripe since: the user becomes a new customer.
            guard case .stripe(let problem) = error, problem.isAboutMissingCustomer else { throw error }
            let customerID = try await customers.makeCustomer(for: user, replacing: customerID)
            request.customerID = customerID
            return try await checkout(request, by: customerID, on: plan, at: now)
        }
    }

    private func checkout(
        _ request: CheckoutRequest, by customerID: String, on plan: String, at now: UnixTime
    ) async throws(WebhookFailure) -> Checkout {
        let user = request.userID
        let sessions = try await customers.asked { () async throws(CallError) in
            try await stripe.checkoutSessions(ofCustomer: customerID)
        }
        let page = sessions.lazy.compactMap { $0.page(for: request, at: now) }.first
        for session in sessions where session.isOpenPage(of: user) && session.id != page?.id {
            try await expire(session.id)
        }
        let known = try await look.lookAtAll(of: user, customerID: customerID)
        // Without a record Clerk has given the plan, else the operator may have.
        let given = known.record == nil ? plan : known.purchases.byHand.flatMap { $0.status.isLive ? $0.plan : nil }
        guard !known.hasSubscription(of: customerID), given != request.tier else {
            if let page { try await expire(page.id) }
            return .alreadySubscribed(known.record)
        }
        if let page { return .page(page) }
        let key = request.idempotencyKey(at: now, after: sessions.first?.id)
        return .page(
            try await customers.asked { () async throws(CallError) in
                try await stripe.createCheckoutSession(request, idempotencyKey: key)
            })
    }

    /// One that was paid meanwhile is seen in what the user has.
    private func expire(_ sessionID: String) async throws(WebhookFailure) {
        _ = try await customers.asked { () async throws(CallError) in
            try await stripe.expireCheckoutSession(id: sessionID)
        }
    }
}
