import HTTPTypes
import Hummingbird
import JSONValue
import Synchronization

/// What a person sees instead of Stripe's own pages.
extension StripeStandIn {
    func addPages(to router: Router<BasicRequestContext>) {
        router.get("/pay/:id") { [self] _, context in
            try await page(context) { id in try paymentPage(id) }
        }
        router.post("/pay/:id") { [self] _, context in
            try await page(context) { id in
                let events = try pay(id)
                let session = try state.withLock { try $0.ledger.checkout(id) }
                return await goOn(to: Self.successURL(session), after: events)
            }
        }
        router.get("/portal/:id") { [self] _, context in
            try await page(context) { id in try portalPage(id) }
        }
        router.post("/portal/:id/subscriptions/:subscription/:action") { [self] _, context in
            try await page(context) { id in
                let subscription = try context.parameters.require("subscription")
                return try await portalAction(context.parameters.require("action"), subscription, portal: id)
            }
        }
    }

    /// Leads on once the gateway knows what the button did, so that the very next call finds it so: Stripe's own pages
    /// do not wait, and code that goes by them has to. Says what went wrong when the gateway could not be told.
    private func goOn(to location: String, after events: [String]) async -> Response {
        let undelivered = await webhooks.awaitDelivery(of: events)
        guard !undelivered.isEmpty else { return .seeOther(location) }
        let items = undelivered.map { webhook in
            let answer = webhook.lastStatus.map { "answered \($0)" } ?? "not answered"
            let next = webhook.isPending ? "will be tried again" : "will not be tried again"
            return "<li><code>\(HTMLPage.escaped(webhook.type))</code> was \(answer), and \(next).</li>"
        }
        let body = """
            <p>What you asked for is done, but <code>\(HTMLPage.escaped(webhooks.url ?? ""))</code> has not taken the
            webhooks that tell of it. The gateway's log says why.</p>
            <ul>\(items.joined())</ul>
            <p><a href="/">Send them again</a>, or <a href="\(HTMLPage.escaped(location))">go on</a>.</p>
            """
        return HTMLPage(title: "The gateway was not told", body: body).response(status: .badGateway)
    }

    /// Answers for the object of the path; what there is not, or cannot be done, is a page too.
    private func page(
        _ context: BasicRequestContext, _ answer: (String) async throws -> Response
    ) async throws -> Response {
        do {
            return try await answer(context.parameters.require("id"))
        } catch let error as StandInStripeError {
            return HTMLPage(title: "Not possible", body: "<p>\(HTMLPage.escaped(error.message))</p>")
                .response(status: error.status)
        }
    }

    private func paymentPage(_ id: String) throws -> Response {
        let session = try state.withLock { try $0.ledger.checkout(id) }
        guard session["status"].string == "open" else {
            let link = HTMLPage.escaped(Self.successURL(session))
            let body = "<p>This is paid already. <a href=\"\(link)\">Go on</a></p>"
            return HTMLPage(title: "Paid", body: body).response()
        }
        let cents = session["amount_total"].integer ?? 0
        let fraction = cents % 100 < 10 ? "0\(cents % 100)" : "\(cents % 100)"
        let user = HTMLPage.escaped(session["client_reference_id"].string ?? "a customer without a reference")
        // A link, not a form: submitting one with GET would lose the URL's own query.
        let cancel = session["cancel_url"].string.map { "<p><a href=\"\(HTMLPage.escaped($0))\">Cancel</a></p>" } ?? ""
        let body = """
            <p>A subscription for <code>\(user)</code>: $\(cents / 100).\(fraction) a month.</p>
            \(HTMLPage.button("Pay", post: "/pay/\(id)"))
            \(cancel)
            """
        return HTMLPage(title: "Checkout", body: body).response()
    }

    private func portalPage(_ id: String) throws -> Response {
        let (portal, subscriptions) = try state.withLock { state in
            let portal = try state.ledger.portal(id)
            return (portal, state.ledger.subscriptions(of: portal["customer"].string ?? ""))
        }
        let items = subscriptions.map { subscription in
            let subscriptionID = subscription["id"].string ?? ""
            let status = subscription["status"].string ?? ""
            let base = "/portal/\(id)/subscriptions/\(subscriptionID)"
            let buttons =
                status == "canceled"
                ? ""
                : HTMLPage.button("Cancel subscription", post: "\(base)/cancel")
                    + HTMLPage.button("Fail next payment", post: "\(base)/fail")
                    + HTMLPage.button("Pay next invoice", post: "\(base)/collect")
            return "<li><code>\(HTMLPage.escaped(subscriptionID))</code>: \(HTMLPage.escaped(status))\(buttons)</li>"
        }
        let back = portal["return_url"].string.map { "<p><a href=\"\(HTMLPage.escaped($0))\">Back</a></p>" } ?? ""
        let list = items.isEmpty ? "<p>No subscriptions.</p>" : "<ul>\(items.joined())</ul>"
        return HTMLPage(title: "Your subscriptions", body: "\(list)\n\(back)").response()
    }

    private func portalAction(
        _ action: String, _ subscription: String, portal id: String
    ) async throws -> Response {
        let portal = try state.withLock { state in
            let portal = try state.ledger.portal(id)
            // A portal shows one customer, and changes nothing of another.
            guard try state.ledger.subscription(subscription)["customer"] == portal["customer"] else {
                throw StandInStripeError.noSuch("subscription", subscription)
            }
            return portal
        }
        let events =
            switch action {
            case "cancel": try cancel(subscription)
            case "fail": try collect(subscription, succeeds: false)
            case "collect": try collect(subscription, succeeds: true)
            default: throw StandInStripeError("There is no such button.", status: .notFound)
            }
        return await goOn(to: portal["return_url"].string ?? "/portal/\(id)", after: events)
    }

    private static func successURL(_ session: JSON) -> String {
        let url = session["success_url"].string ?? "/"
        let parts = url.split(separator: "{CHECKOUT_SESSION_ID}", omittingEmptySubsequences: false)
        return parts.joined(separator: session["id"].string ?? "")
    }
}
