import HTTPTypes
import Hummingbird
import NIOCore
import TollgateCore
import TollgateDataPlane

/// `/admin/v1`: what operators ask and do, over HTTP.
struct OperatorDoor: Sendable {
    static let path = "/admin/v1/"

    /// Of a request's body.
    private static let maximumBodyBytes = 65_536

    let api: OperatorAPI

    func register(in router: Router<AdminRequestContext>) {
        for method in [HTTPRequest.Method.get, .post, .put, .delete] {
            router.on("/admin/v1/**", method: method) { request, context in
                try await answer(request, context)
            }
        }
    }

    private func answer(_ request: Request, _ context: AdminRequestContext) async throws -> Response {
        guard let identity = context.identity, let method = OperatorCall.Method(rawValue: request.method.rawValue),
            request.uri.path.hasPrefix(Self.path)
        else { throw APIError.notFound }
        let path = String(request.uri.path.dropFirst(Self.path.count))
        // Before the body: who may not, need not send it.
        _ = try api.endpoint(method, path, for: identity)
        var query: [String: String] = [:]
        for (name, value) in request.uri.queryParameters { query[String(name)] = String(value) }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: Self.maximumBodyBytes)
        } catch {
            throw APIError.bodyTooLarge(limitBytes: Self.maximumBodyBytes)
        }
        let accept = request.headers[.accept] ?? ""
        let answer = try await api.answer(
            OperatorCall(
                method, path, query: query, body: body,
                wantsCSV: query["format"] == "csv" || accept.contains("text/csv"), identity: identity))
        let status = HTTPResponse.Status(code: answer.status)
        switch answer.body {
        case .json(let json): return Response(admin: json, status: status)
        case .text(let contentType, let write):
            var headers = ContentSecurityPolicy.harmlessHeaders
            headers[.cacheControl] = "no-store"
            headers[.contentType] = contentType
            return Response(
                status: status, headers: headers,
                body: ResponseBody { writer in
                    let parts = PartWriter(writer)
                    try await write { try await parts.write($0) }
                    try await parts.finish()
                })
        }
    }
}

/// The writer of a body as a class, so that a closure can write to it. One task uses it.
private final class PartWriter {
    private var writer: any ResponseBodyWriter

    init(_ writer: any ResponseBodyWriter) { self.writer = writer }

    func write(_ text: String) async throws { try await writer.write(ByteBuffer(string: text)) }

    func finish() async throws { try await writer.finish(nil) }
}
