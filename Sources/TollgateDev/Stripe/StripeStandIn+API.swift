import HTTPTypes
import Hummingbird
import JSONValue
import NIOCore
import Synchronization
import TollgateCore

extension StripeStandIn {
    private typealias Create = @Sendable (inout StripeLedger, JSON, _ pages: String, UnixTime) throws -> JSON
    private typealias Read = @Sendable (StripeLedger, _ id: String) throws -> JSON

    /// More than any call of a gateway needs.
    private static let maximumBodyBytes = 65_536

    func addAPI(to router: Router<BasicRequestContext>) {
        post("/v1/checkout/sessions", StripeParameters.checkoutSession, on: router) { ledger, parameters, pages, now in
            try ledger.openCheckout(parameters, pages: pages, now: now)
        }
        post("/v1/billing_portal/sessions", StripeParameters.portalSession, on: router) {
            ledger, parameters, pages, now in
            try ledger.openPortal(parameters, pages: pages, now: now)
        }
        get("/v1/checkout/sessions/:id", on: router) { try $0.checkout($1) }
        get("/v1/subscriptions/:id", on: router) { try $0.subscription($1) }
        get("/v1/customers/:id", on: router) { try $0.customer($1) }
        get("/v1/prices/:id", on: router) { try $0.price($1) }
        list("/v1/subscriptions", on: router) { $0.state.withLock { Array($0.ledger.subscriptions.values) } }
        list("/v1/webhook_endpoints", on: router) { $0.registrations }
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

    /// The first page of a list.
    private func list(
        _ path: RouterPath, on router: Router<BasicRequestContext>,
        _ elements: @escaping @Sendable (StripeStandIn) -> [JSON]
    ) {
        router.get(path) { [self] request, _ in
            let page: JSON = [
                "object": "list", "data": .array(elements(self)), "has_more": false, "url": .string(request.uri.path),
            ]
            return StandInStripeAnswer(body: page.text).response()
        }
    }

    private func get(_ path: RouterPath, on router: Router<BasicRequestContext>, read: @escaping Read) {
        router.get(path) { [self] request, context in
            _ = try StripeParameters.none.checked(StandInFormValue(form: request.uri.query ?? ""))
            let id = try context.parameters.require("id")
            let object = try state.withLock { try read($0.ledger, id) }
            return StandInStripeAnswer(body: object.text).response()
        }
    }

    private func post(
        _ path: RouterPath, _ rules: StripeParameter, on router: Router<BasicRequestContext>, create: @escaping Create
    ) {
        router.post(path) { [self] request, _ in
            let form = try await Self.form(request)
            let path = request.uri.path
            guard let key = request.headers[.idempotencyKey] else {
                return try perform(form, rules, create).response()
            }
            return try state.withLock { state in
                if let answer = try state.idempotency.answer(key: key, path: path, form: form) {
                    return answer.response(isReplayed: true)
                }
                let answer = try Self.perform(form, rules, create, &state, now: time.now())
                state.idempotency.store(answer, key: key, path: path, form: form)
                return answer.response()
            }
        }
    }

    private func perform(_ form: StandInFormValue, _ rules: StripeParameter, _ create: Create) throws
        -> StandInStripeAnswer
    {
        try state.withLock { try Self.perform(form, rules, create, &$0, now: time.now()) }
    }

    /// - Throws: What is wrong with the parameters: an idempotency key does not remember that. What the ledger refuses
    ///   is an answer, and remembered.
    private static func perform(
        _ form: StandInFormValue, _ rules: StripeParameter, _ create: Create, _ state: inout State, now: UnixTime
    ) throws -> StandInStripeAnswer {
        let parameters = try rules.checked(form)
        do {
            return StandInStripeAnswer(body: try create(&state.ledger, parameters, state.url, now).text)
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
