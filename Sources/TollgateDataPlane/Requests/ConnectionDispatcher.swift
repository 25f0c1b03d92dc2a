import HTTPWire
import NIOCore
import ReverseProxy
import TollgateCore

/// Says what each request of one connection is for, and makes the responder that answers it.
///
/// The gateway's own endpoints are exact paths and go before every prefix; a route goes before them only with the same
/// exact path.
struct ConnectionDispatcher: RequestDispatcher {
    let dataPlane: DataPlane
    let peer: ConnectionPeer
    let controlPlane: ControlPlaneGate

    /// Nil on an event loop of another group than the worker's.
    private let loop: LoopAdmissions?

    /// On the channel's event loop.
    init(dataPlane: DataPlane, channel: any Channel, controlPlane: ControlPlaneGate) {
        self.dataPlane = dataPlane
        self.controlPlane = controlPlane
        loop = dataPlane.reservations.on(channel.eventLoop)
        peer = ConnectionPeer(address: channel.remoteAddress?.ipAddress, trustedProxies: dataPlane.trustedProxies)
    }

    func begin(_ head: RequestHead, on connection: PublicConnection) -> (any RequestResponder)? {
        do throws(APIError) {
            let address = try RequestAddress(head)
            switch try destination(of: head, address) {
            case .controlPlane:
                // NIO's decoder takes what follows CONNECT for a tunnel: no further request would ever be answered.
                if head.method == "CONNECT" {
                    throw APIError.badRequest("CONNECT asks for a tunnel; there is none here.")
                }
                return ControlPlaneRequest.begin(
                    head, target: address.target.text, host: address.host, peer: peer, connection: connection,
                    answers: dataPlane.answers, gate: controlPlane)
            case .gateway(let purpose):
                guard let loop else { throw .internalError(cause: "the connection's event loop has no store") }
                return GatewayRequest.begin(
                    head, address: address, purpose: purpose, peer: peer, dataPlane: dataPlane,
                    connection: connection, loop: loop)
            }
        } catch {
            dataPlane.answers.write(error, to: head, on: connection)
            return nil
        }
    }

    private enum Destination {
        case controlPlane
        case gateway(GatewayRequest.Purpose)
    }

    private func destination(of head: RequestHead, _ address: RequestAddress) throws(APIError) -> Destination {
        let snapshot = dataPlane.routing.current
        if let oddity = address.target.oddity {
            return try destination(of: head, address, oddity: oddity, snapshot)
        }
        let match = snapshot.table.isEmpty ? .notFound : try address.match(in: snapshot.table, method: head.method)
        if case .route(let entry) = match, case .exactly = entry.route.path {
            return try destination(of: head, snapshot.routes[entry.index])
        }
        if let own = ownDestination(of: head, address, snapshot) { return own }
        switch match {
        case .route(let entry): return try destination(of: head, snapshot.routes[entry.index])
        case .methodNotAllowed where isPreflight(head): return .controlPlane
        case .methodNotAllowed(let allowed): throw .methodNotAllowed(allowed: allowed)
        case .notFound: return .controlPlane
        }
    }

    /// An odd path is a route's or a proxy's question about one, and none of the gateway's own by any reading.
    private func destination(
        of head: RequestHead, _ address: RequestAddress, oddity: RequestTarget.Problem,
        _ snapshot: RoutingState.Snapshot
    ) throws(APIError) -> Destination {
        if address.target.text.hasPrefix("/authorize/"), let own = ownDestination(of: head, address, snapshot) {
            return own
        }
        if address.target.readings.contains(where: isOwn) { throw .badPath(oddity) }
        let match: RouteTable.Match
        var refusal = APIError.badPath(oddity)
        do throws(APIError) {
            match = try address.match(in: snapshot.table, method: head.method)
        } catch {
            match = .notFound
            refusal = error
        }
        if case .route(let entry) = match { return try destination(of: head, snapshot.routes[entry.index]) }
        guard isPreflight(head), let method = head.fields.first(named: "access-control-request-method"),
            case .route? = try? address.match(in: snapshot.table, method: method)
        else { throw refusal }
        return .controlPlane
    }

    private func isOwn(_ path: String) -> Bool {
        path == "/verify-auth" || Self.isAuthorize(path) || dataPlane.isControlPath(path)
    }

    /// A browser asks before it sends a request, without the credential and whatever the route's methods are.
    private func isPreflight(_ head: RequestHead) -> Bool {
        head.method == "OPTIONS" && head.fields.first(named: "access-control-request-method") != nil
    }

    /// Nil when the path is none of the gateway's own.
    private func ownDestination(
        of head: RequestHead, _ address: RequestAddress, _ snapshot: RoutingState.Snapshot
    ) -> Destination? {
        let path = address.target.normalPath
        if path == "/verify-auth", head.method == "POST" { return .gateway(.verifyAuth) }
        // By whatever method: Envoy asks with that of the request in question, and no browser asks here.
        if Self.isAuthorize(path) { return .gateway(.authorize(question(head, address, snapshot))) }
        return dataPlane.isControlPath(path) ? .controlPlane : nil
    }

    private static func isAuthorize(_ path: String) -> Bool {
        guard path.hasPrefix("/authorize") else { return false }
        let rest = path.utf8.dropFirst("/authorize".utf8.count).first
        return rest == nil || rest == UInt8(ascii: "/")
    }

    /// What a proxy asks about.
    private func question(
        _ head: RequestHead, _ address: RequestAddress, _ snapshot: RoutingState.Snapshot
    ) -> GatewayRequest.Question {
        do throws(APIError) {
            let original = try OriginalRequest(head, text: address.target.text, host: address.host)
            let own = address.target.query == nil ? nil : address.target.text
            return .init(uri: original.uri ?? own, policy: try policy(for: original, snapshot))
        } catch {
            return .init(uri: nil, policy: .standard, refusal: error)
        }
    }

    /// A request that no route is about costs what it costs without routes.
    private func policy(
        for original: OriginalRequest, _ snapshot: RoutingState.Snapshot
    ) throws(APIError) -> AdmissionPolicy {
        guard !snapshot.table.isEmpty, let uri = original.uri else { return .standard }
        guard original.tellsMethod else {
            throw .badRequest("The proxy does not tell the original request's method. Let it set X-Original-Method.")
        }
        let asked = try RequestAddress(text: uri, host: original.host)
        switch try asked.match(in: snapshot.table, method: original.method) {
        case .route(let entry): return snapshot.routes[entry.index].policy
        case .methodNotAllowed(let allowed): throw .methodNotAllowed(allowed: allowed)
        case .notFound: return .standard
        }
    }

    private func destination(of head: RequestHead, _ route: ActiveRoute) throws(APIError) -> Destination {
        // A route without upstreams is there for proxies that ask; here is nothing at its path.
        guard route.group != nil else { return .controlPlane }
        try check(head, route.route)
        if route.policy.authentication != .none, isPreflight(head) { return .controlPlane }
        return .gateway(.proxy(route))
    }

    /// What a route does not take is refused before anything is charged for it.
    private func check(_ head: RequestHead, _ route: Route) throws(APIError) {
        if Via.showsLoop(head.fields) { throw .loopDetected }
        if let limit = route.limits.headBytes, head.byteCount > limit { throw .headersTooLarge }
        if case .length(let count) = head.framing, count > route.limits.bodyBytes {
            throw .bodyTooLarge(limitBytes: route.limits.bodyBytes)
        }
    }
}
