import HTTPTypes
import Hummingbird
import JSONValue
import NIOCore
import Synchronization
import TollgateCore

extension StripeStandIn {
    /// A call that makes or changes something.
    private struct Call {
        let parameters: JSON

        /// The object that the path names; empty when it names none.
        let id: String

        /// The URL of this server.
        let pages: String
        let now: UnixTime
    }

    private typealias Create = @Sendable (inout StripeLedger, Call) throws -> (JSON, [StandInStripeEvent])
    private typealias Read = @Sendable (StripeLedger, _ id: String, UnixTime) throws -> JSON
    private typealias List = @Sendable (StripeLedger, _ query: JSON, _ path: String, UnixTime) throws -> JSON

    /// More than any call of a gateway needs.
    private static let maximumBodyBytes = 65_536

    func addAPI(to router: Router<BasicRequestContext>) {
        post("/v1/checkout/sessions", StripeParameters.checkoutSession, on: router) { ledger, call in
            (try ledger.openCheckout(call.parameters, pages: call.pages, now: call.now), [])
        }
        post("/v1/checkout/sessions/:id/expire", StripeParameters.none, on: router) { ledger, call in
            let event = try ledger.expireCheckout(call.id, now: call.now)
            return (event.object, [event])
        }
        post("/v1/billing_portal/sessions", StripeParameters.portalSession, on: router) { ledger, call in
            (try ledger.openPortal(call.parameters, pages: call.pages, now: call.now), [])
        }
        post("/v1/customers", StripeParameters.customer, on: router) { ledger, call in
            let customer = ledger.addCustomer(call.parameters, now: call.now)
            return (customer, [StandInStripeEvent(type: "customer.created", object: customer)])
        }
        get("/v1/checkout/sessions/:id", on: router) { try $0.checkout($1, now: $2) }
        get("/v1/subscriptions/:id", on: router) { ledger, id, _ in try ledger.subscription(id) }
        get("/v1/customers/:id", on: router) { ledger, id, _ in try ledger.customer(id) }
        get("/v1/invoices/:id", on: router) { ledger, id, _ in try ledger.invoice(id) }
        get("/v1/charges/:id", on: router) { ledger, id, _ in try ledger.charge(id) }
        get("/v1/prices/:id", on: router) { ledger, id, _ in try ledger.price(id) }
        get("/v1/events/:id", on: router) { [webhooks] _, id, _ in try webhooks.event(id) }
        addLists(to: router)
    }

    private func addLists(to router: Router<BasicRequestContext>) {
        list("/v1/subscriptions", StripeParameters.subscriptions, on: router) { ledger, query, path, _ in
            try ledger.subscriptions(query, path: path)
        }
        list("/v1/checkout/sessions", StripeParameters.checkoutSessions, on: router) {
            try $0.checkouts($1, path: $2, now: $3)
        }
        list("/v1/customers", StripeParameters.customers, on: router) { ledger, query, path, _ in
            try ledger.customers(query, path: path)
        }
        list("/v1/invoice_payments", StripeParameters.invoicePayments, on: router) { ledger, query, path, _ in
            try ledger.invoicePayments(query, path: path)
        }
        list("/v1/events", StripeParameters.events, on: router) { [webhooks] _, query, path, now in
            try webhooks.page(query, path: path, now: now)
        }
        list("/v1/webhook_endpoints", StripeParameters.list([:]), on: router) { [self] _, _, path, _ in
            ["object": "list", "data": .array(registrations), "has_more": false, "url": .string(path)]
        }
    }

    /// The endpoint that events are delivered to, if there is one.
    private var registrations: [JSON] {
        guard let url = webhooks.url else { return [] }
        return [
            [
                "id": "we_standin", "object": "webhook_endpoint", "api_version": .string(Self.apiVersion),
                "enabled_events": .array(configuration.enabledEvents.map { .string($0) }), "livemode": false,
                "status": "enabled", "url": .string(url),
            ]
        ]
    }

    private func list(
        _ path: RouterPath, _ rules: StripeParameter, on router: Router<BasicRequestContext>, list: @escaping List
    ) {
        router.get(path) { [self] request, _ in
            let query = try rules.checked(StandInFormValue(form: request.uri.query ?? ""))
            // Outside the lock: the ledger is a value, and some lists are of what is kept elsewhere.
            let ledger = state.withLock { $0.ledger }
            return StandInStripeAnswer(body: try list(ledger, query, request.uri.path, time.now()).text).response()
        }
    }

    private func get(_ path: RouterPath, on router: Router<BasicRequestContext>, read: @escaping Read) {
        router.get(path) { [self] request, context in
            _ = try StripeParameters.none.checked(StandInFormValue(form: request.uri.query ?? ""))
            let id = try context.parameters.require("id")
            let ledger = state.withLock { $0.ledger }
            return StandInStripeAnswer(body: try read(ledger, id, time.now()).text).response()
        }
    }

    private func post(
        _ path: RouterPath, _ rules: StripeParameter, on router: Router<BasicRequestContext>, create: @escaping Create
    ) {
        router.post(path) { [self] request, context in
            let form = try await Self.form(request)
            let path = request.uri.path
            let id = context.parameters.get("id") ?? ""
            return try state.withLock { state in
                guard let key = request.headers[.idempotencyKey] else {
                    return try perform(form, rules, id, create, &state).response()
                }
                if let answer = try state.idempotency.answer(key: key, path: path, form: form) {
                    return answer.response(isReplayed: true)
                }
                let answer = try perform(form, rules, id, create, &state)
                state.idempotency.store(answer, key: key, path: path, form: form)
                return answer.response()
            }
        }
    }

    /// - Throws: What is wrong with the parameters: an idempotency key does not remember that. What the ledger refuses
    ///   is an answer, and remembered.
    private func perform(
        _ form: StandInFormValue, _ rules: StripeParameter, _ id: String, _ create: Create, _ state: inout State
    ) throws -> StandInStripeAnswer {
        let call = Call(parameters: try rules.checked(form), id: id, pages: state.url, now: time.now())
        do {
            let (object, events) = try create(&state.ledger, call)
            keep(state.ledger)
            webhooks.send(events.map { $0.json(created: call.now) })
            return StandInStripeAnswer(body: object.text)
        } catch let error as StandInStripeError {
            return error.answer
        }
    }

    private static func form(_ request: Request) async throws -> StandInFormValue {
        let body = try await request.body.collect(upTo: maximumBodyBytes)
        let type = request.headers[.contentType]?.split(separator: ";").first.map { String($0).lowercased() }
        guard type == "application/x-www-form-urlencoded" || body.readableBytes == 0 else {
            throw StandInStripeError(
                "Invalid request (check that your POST content type is application/x-www-form-urlencoded).")
        }
        return try StandInFormValue(form: String(buffer: body))
    }
}
