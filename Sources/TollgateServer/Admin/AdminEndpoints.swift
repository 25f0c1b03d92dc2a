import HTTPTypes
import Hummingbird
import JSONValue
import NIOCore
import PercentCoding
import TollgateCore
import TollgateDataPlane

/// What an operator and an orchestrator ask a worker, on a port of its own that is never the public one.
struct AdminEndpoints: Sendable {
    let readiness: Readiness
    let requestIDs: RequestIDGenerator

    /// `TOLLGATE_ADMIN_HOST`.
    let configuredHost: String
    let authentication: AdminAuthentication
    let operators: OperatorDoor
    let overview: OverviewEndpoint
    let explanation: UserExplanation

    /// The text of `/metrics`, made when it is asked for.
    let renderMetrics: @Sendable () -> String

    func router() -> Router<AdminRequestContext> {
        let router = Router(context: AdminRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: AdminErrorMiddleware(requestIDs: requestIDs))
        router.add(middleware: AdminGuard(configuredHost: configuredHost))
        router.add(middleware: authentication)
        router.get("/livez") { _, _ in Response(json: ["status": "ok"]) }
        router.get("/readyz") { _, _ in await answerReadiness() }
        router.get("/metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: renderMetrics())))
        }
        router.get("/overview.json") { _, context in
            guard let identity = context.identity else { throw APIError.notFound }
            return Response(admin: await overview.json(for: identity))
        }
        router.get("/explain/{userId}") { _, context in
            guard
                let user = context.parameters.get("userId").flatMap({ PercentEncoding.decoded($0) })
                    .flatMap({ UserID($0) })
            else { throw APIError.notAUserID }
            return Response(admin: try await explanation.json(of: user))
        }
        operators.register(in: router)
        OverviewSite().register(in: router)
        return router
    }

    private func answerReadiness() async -> Response {
        switch await readiness.obstacle() {
        case nil: Response(json: ["status": "ready"])
        case .draining: Response(status: .serviceUnavailable, json: ["status": "draining"])
        case .redis(let reason):
            Response(status: .serviceUnavailable, json: ["status": "unavailable", "redis": .string(reason)])
        case .noSigningKey:
            Response(
                status: .serviceUnavailable,
                json: ["status": "unavailable", "clerk": "No key that verifies session tokens could be loaded yet"])
        }
    }
}
