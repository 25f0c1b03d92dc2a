import NIOCore
import NameResolution
import Synchronization

/// The addresses of Redis' name, for all connections together: one lookup at a time, however many wait for it, so that
/// a name server that is silent holds up one thread and not one more with each attempt.
final class HostAddresses: Sendable {
    private struct State {
        var known: [SocketAddress] = []
        var lookup: EventLoopFuture<[SocketAddress]>?
    }

    let host: String
    private let port: Int
    private let resolver: any NameResolver
    private let state = Mutex(State())

    init(host: String, port: Int, resolver: any NameResolver) {
        self.host = host
        self.port = port
        self.resolver = resolver
    }

    /// What the last lookup that found something has found: better than nothing while name servers are away.
    var known: [SocketAddress] { state.withLock { $0.known } }

    /// Asks anew, or waits for the answer to a question that is under way.
    func lookUp(on eventLoop: any EventLoop) -> EventLoopFuture<[SocketAddress]> {
        let (lookup, isNew) = state.withLock { state in
            if let lookup = state.lookup { return (lookup, false) }
            let lookup = resolver.addresses(of: host, port: port, on: eventLoop)
            state.lookup = lookup
            return (lookup, true)
        }
        if isNew {
            lookup.whenComplete { result in
                self.state.withLock { state in
                    state.lookup = nil
                    if case .success(let found) = result, !found.isEmpty { state.known = found }
                }
            }
        }
        return lookup.hop(to: eventLoop)
    }
}
