import HTTPTypes
import Hummingbird
import JSONValue

/// The events so far as a person sees them, and how they are delivered: once and in order, or as the real Stripe may.
extension StripeStandIn {
    private static let mostCopies = 5

    func addEventPages(to router: Router<BasicRequestContext>) {
        router.get("/") { [self] _, _ in eventsPage() }
        router.post("/events/:id/resend") { [self] _, context in
            webhooks.resend(try context.parameters.require("id"))
            return Response.seeOther("/")
        }
        router.post("/deliveries") { [self] request, _ in
            setBehaviour(try await Self.pageForm(request))
            return Response.seeOther("/")
        }
    }

    /// A field that is left out keeps what there is.
    private func setBehaviour(_ form: StandInFormValue) {
        var behaviour = webhooks.behaviour
        if let isDelivering = form.field("webhooks") { behaviour.isDelivering = isDelivering != "off" }
        if let copies = form.field("copies").flatMap({ Int($0) }) {
            behaviour.copies = min(max(copies, 1), Self.mostCopies)
        }
        switch form.field("order") {
        case "mixed":
            behaviour.shuffleSeed = .random(in: 0...UInt64.max)
            behaviour.isConcurrent = true
        case "kept":
            behaviour.shuffleSeed = nil
            behaviour.isConcurrent = false
        default: break
        }
        webhooks.behaviour = behaviour
    }

    private func eventsPage() -> Response {
        let attempts = Dictionary(grouping: webhooks.attempts, by: \.eventID)
        let rows = webhooks.events.reversed().prefix(200).map { event in
            let id = event["id"].string ?? ""
            let answers = attempts[id]?.map { $0.status.map(String.init) ?? "no answer" } ?? ["not delivered"]
            return "<tr><td><code>\(HTMLPage.escaped(event["type"].string ?? ""))</code></td>"
                + "<td><code>\(HTMLPage.escaped(id))</code></td><td>\(answers.joined(separator: ", "))</td>"
                + "<td>\(HTMLPage.button("Send again", post: "/events/\(id)/resend"))</td></tr>"
        }
        let table =
            rows.isEmpty
            ? "<p>No events yet.</p>"
            : "<table><tr><th>event</th><th>id</th><th>answered</th><th></th></tr>\(rows.joined())</table>"
        return HTMLPage(title: "Events", body: behaviourForm + table).response()
    }

    private var behaviourForm: String {
        let behaviour = webhooks.behaviour
        func option(_ value: String, _ label: String, _ isChosen: Bool) -> String {
            "<option value=\"\(value)\"\(isChosen ? " selected" : "")>\(label)</option>"
        }
        let copies = (1...Self.mostCopies).map { option("\($0)", "\($0)", $0 == behaviour.copies) }.joined()
        let orders =
            option("kept", "in order", behaviour.shuffleSeed == nil)
            + option("mixed", "all at once, in any order", behaviour.shuffleSeed != nil)
        let switches =
            option("on", "delivered", behaviour.isDelivering)
            + option("off", "lost, as while the gateway is away", !behaviour.isDelivering)
        return """
            <form method="post" action="/deliveries">
            <p><label>Webhooks are <select name="webhooks">\(switches)</select></label>
            <label>Deliveries of each event <select name="copies">\(copies)</select></label>
            <label>sent <select name="order">\(orders)</select></label> <button>Set</button></p>
            </form>
            """
    }
}

extension StandInFormValue {
    /// The text of a field at the top.
    func field(_ name: String) -> String? {
        guard case .fields(let fields) = self, case .text(let text)? = fields[name] else { return nil }
        return text
    }
}
