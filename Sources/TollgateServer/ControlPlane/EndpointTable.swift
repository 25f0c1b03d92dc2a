import HTTPTypes
import Hummingbird

/// The control plane's endpoints: registered with the router, and asked again for the right refusal of a wrong method.
struct EndpointTable: Sendable {
    typealias Handler = @Sendable (Request, GatewayRequestContext) async throws -> Response

    struct Endpoint: Sendable {
        let method: HTTPRequest.Method
        let path: String
        /// False for what no browser calls.
        var hasCORS = true
        let handler: Handler

        /// Whether `path` is the endpoint's, or below it when that ends with `/**`.
        func isAt(_ path: String) -> Bool {
            self.path.hasSuffix("/**") ? path.hasPrefix(self.path.dropLast(2)) : path == self.path
        }
    }

    private let endpoints: [Endpoint]
    private let endpointsWithoutCORS: [Endpoint]

    init(_ endpoints: [Endpoint]) {
        self.endpoints = endpoints
        endpointsWithoutCORS = endpoints.filter { !$0.hasCORS }
    }

    func register(in router: Router<GatewayRequestContext>) {
        for endpoint in endpoints {
            router.on(RouterPath(endpoint.path), method: endpoint.method, use: endpoint.handler)
        }
    }

    /// The methods that `path` takes; none when there is nothing at it.
    func methods(at path: String) -> [String] {
        let found = endpoints.filter { $0.isAt(path) }.map(\.method.rawValue)
        return found.isEmpty ? [] : found + (found.contains("GET") ? ["HEAD"] : []) + ["OPTIONS"]
    }

    func hasCORS(_ path: String) -> Bool { !endpointsWithoutCORS.contains { $0.isAt(path) } }
}
