import Hummingbird
import JSONValue
import Synchronization
import TollgateCore

/// The portal: what Stripe's own shows a customer, and what a developer wants to see happen.
extension StripeStandIn {
    func addPortal(to router: Router<BasicRequestContext>) {
        router.get("/portal/:id") { [self] _, context in
            try await page(context) { id in try portalPage(id) }
        }
        router.post("/portal/:id/subscriptions/:subscription/:action") { [self] request, context in
            try await page(context) { id in
                let form = try await Self.pageForm(request)
                let subscription = try context.parameters.require("subscription")
                let action = try context.parameters.require("action")
                let portal = try portal(id, showing: subscription)
                let events = try carryOut(action, subscription, form)
                return await goOn(to: portal["return_url"].string ?? "/portal/\(id)", after: events)
            }
        }
        router.post("/portal/:id/:action") { [self] request, context in
            try await page(context) { id in
                let form = try await Self.pageForm(request)
                let portal = try state.withLock { try $0.ledger.portal(id) }
                let customer = portal["customer"].string ?? ""
                let events =
                    switch try context.parameters.require("action") {
                    case "delete": try deleteCustomer(customer)
                    case "subscribe": try subscribeOnceMore(customer, form)
                    case "try": try subscribeOnceMore(customer, form, trialDays: 14)
                    default: throw Self.noSuchButton
                    }
                return await goOn(to: portal["return_url"].string ?? "/portal/\(id)", after: events)
            }
        }
    }

    private static let noSuchButton = StandInStripeError("There is no such button.", status: .notFound)

    // MARK: What the buttons do

    /// A portal shows one customer, and changes nothing of another.
    private func portal(_ id: String, showing subscription: String) throws -> JSON {
        try state.withLock { state in
            let portal = try state.ledger.portal(id)
            guard try state.ledger.subscription(subscription)["customer"] == portal["customer"] else {
                throw StandInStripeError.noSuch("subscription", subscription)
            }
            return portal
        }
    }

    private func carryOut(_ action: String, _ id: String, _ form: StandInFormValue) throws -> [String] {
        switch action {
        case "cancel": try cancel(id)
        case "cancel-later": try cancelAtPeriodEnd(id)
        case "cancel-in-days":
            try cancel(id, at: time.now().adding(seconds: try Self.days(form.field("days")) * 86_400))
        case "keep": try cancel(id, at: nil)
        case "prices": try setPrices(of: id, to: Self.words(form.field("prices")))
        case "fail": try collect(id, succeeds: false)
        case "collect": try collect(id, succeeds: true)
        case "renew": try renew(id)
        case "give-up": try giveUp(id)
        case "pause-collection": try pauseCollection(of: id)
        case "resume-collection": try resumeCollection(of: id)
        case "pause": try pause(id)
        case "resume": try resume(id)
        case "end-trial": try endTrial(of: id, .paid)
        case "fail-trial": try endTrial(of: id, .unpaid)
        case "pause-trial": try endTrial(of: id, .paused)
        case "refund": try refund(id)
        case "dispute": try loseDispute(over: id)
        default: throw Self.noSuchButton
        }
    }

    /// With the metadata of the customer's newest subscription, as the operator would write it.
    private func subscribeOnceMore(_ customer: String, _ form: StandInFormValue, trialDays: Int64? = nil) throws
        -> [String]
    {
        let newest = state.withLock { $0.ledger.subscriptions.ofCustomer(customer).first }
        let user = newest?["metadata"]["userId"].string
        return try begin(
            customer, prices: Self.words(form.field("prices")), metadata: user.map { ["userId": $0] } ?? [:],
            trialDays: trialDays, isPaid: true
        ).events
    }

    private static func days(_ text: String?) throws -> Int64 {
        guard let days = text.flatMap({ Int64($0) }), (1...3650).contains(days) else {
            throw StandInStripeError("Give a number of days from 1 to 3650.", parameter: "days")
        }
        return days
    }

    private static func words(_ text: String?) -> [String] {
        (text ?? "").split { $0 == " " || $0 == "," }.map(String.init)
    }

    // MARK: What is shown

    private func portalPage(_ id: String) throws -> Response {
        let (portal, subscriptions) = try state.withLock { state in
            let portal = try state.ledger.portal(id)
            return (portal, state.ledger.subscriptions.ofCustomer(portal["customer"].string ?? ""))
        }
        let items = subscriptions.map { Self.item($0, base: "/portal/\(id)/subscriptions/\($0["id"].string ?? "")") }
        let back = portal["return_url"].string.map { "<p><a href=\"\(HTMLPage.escaped($0))\">Back</a></p>" } ?? ""
        let list = items.isEmpty ? "<p>No subscriptions.</p>" : "<ul>\(items.joined())</ul>"
        let more =
            Self.form("Subscribe once more", "prices", "price_development", post: "/portal/\(id)/subscribe")
            + Self.form("Try for 14 days", "prices", "price_development", post: "/portal/\(id)/try")
            + HTMLPage.button("Delete this customer", post: "/portal/\(id)/delete")
        return HTMLPage(title: "Your subscriptions", body: "\(list)\n\(more)\n\(back)").response()
    }

    private static func item(_ subscription: JSON, base: String) -> String {
        let status = subscription["status"].string ?? ""
        let prices = (subscription["items"]["data"].elements ?? []).compactMap { $0["price"]["id"].string }
            .joined(separator: " ")
        let end = subscription["cancel_at"].integer.map { ", ends \(UnixTime(seconds: $0).iso8601)" } ?? ""
        let head =
            "<code>\(HTMLPage.escaped(subscription["id"].string ?? ""))</code>: \(HTMLPage.escaped(status)), "
            + "<code>\(HTMLPage.escaped(prices))</code>\(end)"
        let buttons = buttons(subscription).map { HTMLPage.button($0.label, post: "\(base)/\($0.action)") }
        guard !buttons.isEmpty else { return "<li>\(head)</li>" }
        let forms =
            form("Change the prices", "prices", prices, post: "\(base)/prices")
            + form("Cancel in so many days", "days", "10", post: "\(base)/cancel-in-days")
        return "<li>\(head)\(buttons.joined())\(forms)</li>"
    }

    /// Those that do something as the subscription is.
    private static func buttons(_ subscription: JSON) -> [(label: String, action: String)] {
        guard !StripeLedger.hasEnded(subscription) else { return [] }
        let isCollected = subscription["pause_collection"] == .null
        var buttons: [(label: String, action: String)] = [
            ("Cancel subscription", "cancel"),
            subscription["cancel_at"] == .null
                ? ("Cancel at the end of the period", "cancel-later") : ("Do not cancel", "keep"),
        ]
        switch subscription["status"].string {
        case "trialing":
            buttons += [
                ("End the trial, paid", "end-trial"), ("End the trial, unpaid", "fail-trial"),
                ("End the trial without a card", "pause-trial"),
            ]
        case "paused": buttons.append(("Resume", "resume"))
        default: buttons.append(("Pause", "pause"))
        }
        buttons += [("Fail next payment", "fail"), ("Pay next invoice", "collect")]
        if subscription["status"] == "active", isCollected { buttons.append(("Renew now", "renew")) }
        if subscription["status"] == "past_due" { buttons.append(("Give up collecting", "give-up")) }
        buttons.append(
            isCollected ? ("Pause collection", "pause-collection") : ("Resume collection", "resume-collection"))
        return buttons + [("Refund the last payment", "refund"), ("Lose a dispute over it", "dispute")]
    }

    /// A form with one text.
    private static func form(_ label: String, _ name: String, _ value: String, post path: String) -> String {
        "<form method=\"post\" action=\"\(HTMLPage.escaped(path))\"><input name=\"\(name)\" "
            + "value=\"\(HTMLPage.escaped(value))\" aria-label=\"\(HTMLPage.escaped(label))\"> "
            + "<button>\(HTMLPage.escaped(label))</button></form>"
    }
}
