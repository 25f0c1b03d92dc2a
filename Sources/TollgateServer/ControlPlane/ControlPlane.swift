import HTTPTypes
import Hummingbird
import TollgateCore

/// The endpoints of the original service, on the public port.
struct ControlPlane: Sendable {
    let gatekeeper: Gatekeeper
    let credentials: any CredentialStore
    let checkout: CheckoutEndpoints
    let webhook: WebhookEndpoint
    let bodyLimitBytes: Int

    private var endpoints: EndpointTable {
        let own: [EndpointTable.Endpoint] = [
            .init(method: .get, path: "/health") { _, _ in Response(json: ["status": "ok"]) },
            .init(method: .post, path: "/verify-auth", handler: verifyAuth),
        ]
        let forProxies = ["/authorize", "/authorize/**"].flatMap { path in
            Self.methodsOfProxies.map {
                EndpointTable.Endpoint(method: $0, path: path, hasCORS: false, handler: authorize)
            }
        }
        let forCredentials = CredentialEndpoints(
            gatekeeper: gatekeeper, credentials: credentials, bodyLimitBytes: bodyLimitBytes)
        return EndpointTable(own + forProxies + forCredentials.endpoints + checkout.endpoints + [webhook.endpoint])
    }

    func router(
        requestIDs: RequestIDGenerator, cors: CORSPolicy, metrics: GatewayMetrics
    ) -> Router<GatewayRequestContext> {
        let endpoints = endpoints
        let router = Router(context: GatewayRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.add(
            middleware: AnswerMiddleware(requestIDs: requestIDs, cors: cors, metrics: metrics, endpoints: endpoints))
        endpoints.register(in: router)
        return router
    }

    /// Envoy asks with the method of the request in question, the others with GET.
    private static let methodsOfProxies: [HTTPRequest.Method] = [.get, .post, .put, .patch, .delete]

    /// `/authorize`, where the data plane does not take it, as with `POST /verify-auth`.
    @Sendable private func authorize(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        _ = try await request.body(upTo: bodyLimitBytes)
        return Response(Answer(authorized: try await gatekeeper.admit(request.headers, logger: context.logger)))
    }

    /// `POST /verify-auth`, where the data plane does not take it: the first call of a token, or one with a body.
    @Sendable private func verifyAuth(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        // The body says nothing, but a client that sends one learns its limit before it is charged.
        _ = try await request.body(upTo: bodyLimitBytes)
        let admitted = try await gatekeeper.admit(request.headers, logger: context.logger)
        return Response(Answer(verified: admitted))
    }
}
