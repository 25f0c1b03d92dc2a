import HTTPTypes
import Hummingbird
import JSONValue
import TollgateDataPlane

extension Response {
    /// JSON of the admin port: of this moment, so no cache keeps it.
    init(admin json: JSON, status: HTTPResponse.Status = .ok) {
        var headers = ContentSecurityPolicy.harmlessHeaders
        headers[.cacheControl] = "no-store"
        self.init(status: status, json: json, headers: headers)
    }
}

/// Errors of the admin port in the same form as those of the public one.
struct AdminErrorMiddleware: RouterMiddleware {
    typealias Context = AdminRequestContext

    let requestIDs: RequestIDGenerator

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            return answer(error, request, context)
        } catch let error as HTTPError where error.status == .notFound {
            return answer(.notFound, request, context)
        }
    }

    private func answer(_ error: APIError, _ request: Request, _ context: Context) -> Response {
        let id = requestIDs.next()
        error.log(requestID: id, path: request.uri.path, to: context.logger)
        var response = Response(admin: error.body(requestID: id), status: error.status)
        response.headers.append(contentsOf: error.headers)
        response.headers[.xRequestID] = id
        return response
    }
}
