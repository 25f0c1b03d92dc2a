import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import TollgateCore
import TollgateDataPlane

/// Around every request of the public port: names it, turns errors into answers, answers preflights, adds the CORS
/// fields, counts.
struct AnswerMiddleware: RouterMiddleware {
    typealias Context = GatewayRequestContext

    let requestIDs: RequestIDGenerator
    let cors: CORSPolicy
    let metrics: GatewayMetrics
    let endpoints: EndpointTable
    let gatekeeper: Gatekeeper

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let start = NIODeadline.now()
        var context = context
        context.requestID = requestIDs.next()
        context.network = request.headers[.xTollgateClient].flatMap { ClientNetwork(address: $0) } ?? .unknown
        var response = await answer(request, context: context, next: next)
        response.headers.append(HTTPField(name: .xRequestID, value: context.requestID))
        if endpoints.hasCORS(request.uri.path) {
            cors.apply(to: &response.headers, origin: request.headers[.origin])
        }
        metrics.request(
            status: response.status.code, nanoseconds: (NIODeadline.now() - start).nanoseconds)
        return response
    }

    private func answer(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async -> Response {
        if request.method == .options { return Response(status: .noContent) }
        do {
            try gatekeeper.checkUnread(request.headers, from: context.network)
            return try await next(request, context)
        } catch let error as APIError {
            return respond(error, request: request, context: context)
        } catch let error as HTTPError where error.status == .notFound {
            let allowed = endpoints.methods(at: request.uri.path)
            return respond(
                allowed.isEmpty ? .notFound : .methodNotAllowed(allowed: allowed), request: request, context: context)
        } catch {
            return respond(.internalError(cause: "\(error)"), request: request, context: context)
        }
    }

    private func respond(_ error: APIError, request: Request, context: Context) -> Response {
        AccessFacts.current?.refused(error)
        error.log(requestID: context.requestID, path: request.uri.path, to: context.logger)
        return Response(error, requestID: context.requestID)
    }
}
