import HTTPTypes
import Hummingbird
import NIOCore
import RedisClient

/// What an operator and an orchestrator ask a worker, on a port of its own that is never the public one.
struct AdminEndpoints: Sendable {
    let redis: RedisClient
    let drain: DrainState

    /// The text of `/metrics`, made when it is asked for.
    let renderMetrics: @Sendable () -> String

    func router() -> Router<BasicRequestContext> {
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.add(middleware: AdminErrorMiddleware())
        router.get("/livez") { _, _ in Response(json: ["status": "ok"]) }
        router.get("/readyz") { _, _ in await readiness() }
        router.get("/metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: renderMetrics())))
        }
        return router
    }

    /// Ready means: not on the way out, and Redis answers on every connection, asked just now.
    private func readiness() async -> Response {
        if drain.isDraining {
            return Response(status: .serviceUnavailable, json: ["status": "draining"])
        }
        guard await redis.ping() else {
            return Response(
                status: .serviceUnavailable,
                json: ["status": "unavailable", "redis": .string(redis.lastFailure ?? "no answer in time")])
        }
        return Response(json: ["status": "ready"])
    }
}

/// Errors of the admin port in the same form as those of the public one.
private struct AdminErrorMiddleware: RouterMiddleware {
    typealias Context = BasicRequestContext

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPError where error.status == .notFound {
            return Response(.notFound, requestID: context.id)
        }
    }
}
