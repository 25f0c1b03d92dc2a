import NIOCore
import ReverseProxy
import TestSupport

extension String {
    /// A request without a body whose connection ends with the answer.
    static func get(_ target: String = "/", fields: String = "", closes: Bool = true) -> String {
        "GET \(target) HTTP/1.1\r\nHost: api.example\r\n\(fields)\(closes ? "Connection: close\r\n" : "")\r\n"
    }

    static func post(_ body: String, fields: String = "") -> String {
        "POST / HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\(fields)"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    static func answer(_ body: String, fields: String = "") -> String {
        "HTTP/1.1 200 OK\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }
}

/// One group of upstreams and how they are dealt with.
struct UpstreamGroupSettings {
    var members: [UpstreamMember]
    var upstreams: UpstreamSettings

    init(_ members: [UpstreamMember], _ upstreams: UpstreamSettings = UpstreamSettings()) {
        (self.members, self.upstreams) = (members, upstreams)
    }

    init(ports: Int..., pool: PoolPolicy = PoolPolicy()) {
        self.init(
            ports.map { UpstreamMember(Upstream(host: "127.0.0.1", port: $0)) }, UpstreamSettings(pool: pool))
    }
}

extension UpstreamMember {
    /// One that refuses. No listener that was closed: a process that is forked meanwhile keeps it open for a moment.
    static func unreachable() -> UpstreamMember { UpstreamMember(Upstream(host: "127.0.0.3", port: 1)) }
}

/// A front before `upstream` for the time of `body`.
func withFront(
    _ upstream: ScriptedUpstream, route: ProxyRoute = ProxyRoute(), pool: PoolPolicy = PoolPolicy(),
    body: (Front) async throws -> Void
) async throws {
    let front = try await Front.start(UpstreamGroupSettings(ports: upstream.port, pool: pool), route: route)
    do {
        try await body(front)
    } catch {
        try? await front.close()
        try? await upstream.close()
        throw error
    }
    try await front.close()
    try await upstream.close()
}
