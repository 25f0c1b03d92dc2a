import HTTPTypes
import Hummingbird

extension Response {
    /// JSON of the admin port: of this moment, and for whoever asked.
    init(admin json: JSON, status: HTTPResponse.Status = .ok) {
        var headers = ContentSecurityPolicy.harmlessHeaders
        headers[.cacheControl] = "no-store"
        self.init(status: status, json: json, headers: headers)
    }
}

/// Errors of the admin port in the same form as those of the public one.
struct AdminErrorMiddleware: RouterMiddleware {
    typealias Context = BasicRequestContext

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            error.log(requestID: context.id, path: request.uri.path, to: context.logger)
            var response = Response(admin: error.body(requestID: context.id), status: error.status)
            for field in error.headers { response.headers.append(field) }
            return response
        } catch let error as HTTPError where error.status == .notFound {
            return Response(admin: APIError.notFound.body(requestID: context.id), status: .notFound)
        }
    }
}
