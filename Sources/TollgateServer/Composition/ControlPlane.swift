import HTTPTypes
import Hummingbird
import JSONValue
import Logging
import TollgateCore
import TollgateDataPlane

/// The endpoints taken over from front-auth-api and those of keys, on the public port.
struct ControlPlane: Sendable {
    let gatekeeper: Gatekeeper
    let credentials: any CredentialStore
    let keys: any KeyStore
    let tickets: TicketEndpoint
    let checkout: CheckoutEndpoints
    let webhook: WebhookEndpoint
    let account: AccountEndpoint
    let history: UsageHistoryEndpoint

    /// Nil when the customers' page is not served.
    let dashboard: DashboardSite?
    let time: any TimeSource
    let bodyLimitBytes: Int

    /// Writes what the operator has to know, whatever the frameworks may say.
    let logger: Logger

    var endpoints: EndpointTable {
        let own: [EndpointTable.Endpoint] = [
            .init(method: .get, path: "/health") { _, _ in Response(json: ["status": "ok"]) },
            .init(method: .post, path: "/verify-auth"),
        ]
        let forProxies = ["/authorize", "/authorize/**"].flatMap { path in
            Self.methodsOfProxies.map {
                EndpointTable.Endpoint(method: $0, path: path, hasCORS: false)
            }
        }
        let forCredentials = CredentialEndpoints(
            gatekeeper: gatekeeper, credentials: credentials, time: time, bodyLimitBytes: bodyLimitBytes,
            logger: logger)
        let forKeys = KeyEndpoints(
            gatekeeper: gatekeeper, keys: keys, time: time, bodyLimitBytes: bodyLimitBytes, logger: logger)
        return EndpointTable(
            own + forProxies + forCredentials.endpoints + forKeys.endpoints
                + [
                    UsageEndpoint(gatekeeper: gatekeeper).endpoint, account.endpoint, history.endpoint,
                    tickets.endpoint,
                ]
                + checkout.endpoints
                + [webhook.endpoint] + (dashboard?.endpoints ?? []))
    }

    /// Answers the control plane's requests.
    ///
    /// - Parameter logger: For what the answers say of a request that failed.
    func responder(
        requestIDs: RequestIDGenerator, cors: CORSPolicy, metrics: GatewayMetrics, logger: Logger
    ) -> ControlPlaneResponder {
        let endpoints = endpoints
        let router = Router(context: GatewayRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.add(
            middleware: AnswerMiddleware(
                requestIDs: requestIDs, cors: cors, metrics: metrics, endpoints: endpoints, gatekeeper: gatekeeper))
        endpoints.register(in: router)
        let responder = router.buildResponder()
        return { request, channel in
            let source = ApplicationRequestContextSource(channel: channel, logger: logger)
            let answer = try? await responder.respond(to: request, context: GatewayRequestContext(source: source))
            // The middleware makes an answer of every error.
            return answer ?? Response(status: .internalServerError)
        }
    }

    /// Envoy asks with the method of the request in question, the others with GET.
    private static let methodsOfProxies: [HTTPRequest.Method] = [.get, .post, .put, .patch, .delete, .options]
}
