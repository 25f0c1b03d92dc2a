import HTTPTypes
import Hummingbird
import JSONValue
import Synchronization
import TollgateCore

/// What a person sees instead of Stripe's own pages.
extension StripeStandIn {
    func addPages(to router: Router<BasicRequestContext>) {
        router.get("/pay/:id") { [self] _, context in
            try await page(context) { id in try paymentPage(id) }
        }
        router.post("/pay/:id") { [self] _, context in
            try await page(context) { id in
                let events = try pay(id)
                let session = try state.withLock { try $0.ledger.checkout(id, now: time.now()) }
                return await goOn(to: Self.successURL(session), after: events)
            }
        }
        addPortal(to: router)
    }

    /// The form of a page of ours, which is small.
    static func pageForm(_ request: Request) async throws -> StandInFormValue {
        try StandInFormValue(form: String(buffer: try await request.body.collect(upTo: 1024)))
    }

    /// Leads on once the gateway knows what the button did, so that the very next call finds it so: Stripe's own pages
    /// do not wait, and code that goes by them has to. Says what went wrong when the gateway could not be told.
    func goOn(to location: String, after events: [String]) async -> Response {
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
    func page(
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
        let session = try state.withLock { try $0.ledger.checkout(id, now: time.now()) }
        guard session["status"] != "expired" else {
            return HTMLPage(title: "Expired", body: "<p>This page has expired: nothing can be bought here.</p>")
                .response()
        }
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

    private static func successURL(_ session: JSON) -> String {
        let url = session["success_url"].string ?? "/"
        let parts = url.split(separator: "{CHECKOUT_SESSION_ID}", omittingEmptySubsequences: false)
        return parts.joined(separator: session["id"].string ?? "")
    }
}
