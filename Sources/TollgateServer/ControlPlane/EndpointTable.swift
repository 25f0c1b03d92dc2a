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

        /// Nil for what the data plane answers, and which is here for the refusals of other methods.
        var handler: Handler?

        /// Whether `path` is the endpoint's, or below it when that ends with `/**`. `{name}` in the endpoint's stands
        /// for any one segment.
        func isAt(_ path: String) -> Bool {
            if self.path.hasSuffix("/**") { return path.hasPrefix(self.path.dropLast(2)) }
            return self.path.contains("{") ? hasSegments(of: path) : path == self.path
        }

        private func hasSegments(of path: String) -> Bool {
            let (own, asked) = (self.path.split(separator: "/"), path.split(separator: "/"))
            return own.count == asked.count && zip(own, asked).allSatisfy { $0 == $1 || $0.hasPrefix("{") }
        }
    }

    private let endpoints: [Endpoint]
    private let endpointsWithoutCORS: [Endpoint]
    private let paths: Set<String>
    private let patterns: [(beginning: String, endpoint: Endpoint)]

    init(_ endpoints: [Endpoint]) {
        self.endpoints = endpoints
        endpointsWithoutCORS = endpoints.filter { !$0.hasCORS }
        let isPattern = { (path: String) in path.contains("{") || path.hasSuffix("/**") }
        paths = Set(endpoints.map(\.path).filter { !isPattern($0) })
        patterns = endpoints.filter { isPattern($0.path) }.map { endpoint in
            (String(endpoint.path.prefix { $0 != "{" && $0 != "*" }), endpoint)
        }
    }

    /// Whether there is something at `path`, for some method.
    func owns(_ path: String) -> Bool {
        paths.contains(path) || patterns.contains { path.hasPrefix($0.beginning) && $0.endpoint.isAt(path) }
    }

    func register(in router: Router<GatewayRequestContext>) {
        for endpoint in endpoints {
            guard let handler = endpoint.handler else { continue }
            router.on(RouterPath(endpoint.path), method: endpoint.method, use: handler)
        }
    }

    /// The methods that `path` takes; none when there is nothing at it.
    func methods(at path: String) -> [String] {
        let found = endpoints.filter { $0.isAt(path) }.map(\.method.rawValue)
        return found.isEmpty ? [] : found + (found.contains("GET") ? ["HEAD"] : []) + ["OPTIONS"]
    }

    func hasCORS(_ path: String) -> Bool { !endpointsWithoutCORS.contains { $0.isAt(path) } }
}
