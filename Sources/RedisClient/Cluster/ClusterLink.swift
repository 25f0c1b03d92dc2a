import Hiredis
import NIOCore
import Synchronization

/// A cluster as one event loop has it: a connection to each primary, opened when the first command is for it.
///
/// A command goes to the server that keeps its slot, as far as is known; it follows that server's word that the slot is
/// another's by now, and waits, as long as a command may, where no server can carry it out at the moment.
///
/// Everything but what says so is used on the event loop alone.
final class ClusterLink: RedisLink, @unchecked Sendable {
    // @unchecked Sendable, reason 1: as RedisConnection, all of it is used on `eventLoop` only, but for what is locked.

    let eventLoop: any EventLoop
    private let configuration: RedisClientConfiguration
    private let topology: ClusterTopology

    private var map: ClusterMap?
    private var connectionsByNode: [HostAndPort: RedisConnection] = [:]

    /// By place in the map's primaries: those that were opened.
    private var connectionsByPlace: [RedisConnection?] = []
    private var parked: [ClusterRequest] = []
    private var nextTry: Scheduled<Void>?
    private var isShutDown = false

    /// For any thread.
    private let shared = Mutex(Shared())

    private struct Shared {
        var connections: [RedisConnection] = []
        var knowsServers = false
        var failure = "no server of the cluster has been asked yet"
    }

    /// How often a command may be sent elsewhere at once; after that it is in no hurry.
    private static let swiftRedirections = 3

    /// How long a command waits that no server can carry out at the moment.
    private static let pause: TimeAmount = .milliseconds(10)

    init(eventLoop: any EventLoop, configuration: RedisClientConfiguration, topology: ClusterTopology) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.topology = topology
    }

    var connections: [RedisConnection] { shared.withLock(\.connections) }

    var isReady: Bool {
        let (knowsServers, connections) = shared.withLock { ($0.knowsServers, $0.connections) }
        return knowsServers && (connections.isEmpty || connections.contains(where: \.isReady))
    }

    var lastFailure: String {
        let (failure, connections) = shared.withLock { ($0.knowsServers ? "" : $0.failure, $0.connections) }
        return failure.isEmpty ? connections.lazy.map(\.lastFailure).first { !$0.isEmpty } ?? "" : failure
    }

    /// Those that take writes, as far as is known.
    var primaries: [HostAndPort] {
        eventLoop.preconditionInEventLoop()
        return map?.primaries ?? []
    }

    // MARK: Commands

    func send(_ command: RedisCommand, identifier: UInt64, waiter: @escaping RedisConnection.Waiter) {
        begin(.command(command), .reply(waiter), to: command.slot.map { .slot($0) } ?? .anyPrimary, identifier)
    }

    func run(_ call: any ScriptCall, identifier: UInt64, waiter: ReplyWaiter) {
        let slot = call.hashTag.map { HashSlot(tag: $0.utf8) }
        begin(.script(call), waiter, to: slot.map { .slot($0) } ?? .anyPrimary, identifier)
    }

    /// Sends `command` to this server and to no other.
    func send(_ command: RedisCommand, to node: HostAndPort, waiter: @escaping RedisConnection.Waiter) {
        begin(.command(command), .reply(waiter), to: .node(node), 0)
    }

    func cancel(identifier: UInt64) {
        eventLoop.preconditionInEventLoop()
        for connection in connectionsByNode.values { connection.cancel(identifier: identifier) }
        guard identifier != 0 else { return }
        let cancelled = parked.filter { $0.identifier == identifier }
        parked.removeAll { $0.identifier == identifier }
        for request in cancelled { request.fail(.cancelled) }
    }

    private func begin(
        _ work: ClusterRequest.Work, _ waiter: ReplyWaiter, to destination: ClusterRequest.Destination,
        _ identifier: UInt64
    ) {
        eventLoop.preconditionInEventLoop()
        advance(
            ClusterRequest(
                work: work, waiter: waiter, destination: destination, identifier: identifier,
                deadline: .now() + configuration.commandTimeout))
    }

    private func advance(_ request: ClusterRequest) {
        guard !isShutDown else { return request.fail(.closed) }
        switch destination(of: request) {
        case .connection(let connection): advance(request, over: connection)
        case .unknown(let error):
            topology.refresh()
            var request = request
            request.reason = error
            park(request)
        case .unreachable(let error): request.fail(error)
        }
    }

    private enum Found {
        case connection(RedisConnection)

        /// It may be known in a moment.
        case unknown(RedisError)
        case unreachable(RedisError)
    }

    private func destination(of request: ClusterRequest) -> Found {
        if case .node(let node) = request.destination { return .connection(connection(to: node)) }
        guard let map else { return .unreachable(.notConnected(lastFailure)) }
        if case .slot(let slot) = request.destination {
            guard let place = map.owner(of: slot) else {
                return .unknown(.notConnected("no server of the cluster keeps slot \(slot.number)"))
            }
            return .connection(connection(at: place, of: map))
        }
        guard !map.primaries.isEmpty else { return .unknown(.notConnected("the cluster has no primary")) }
        // The same one for all, as long as it is there: workers go by its time.
        let first = connection(at: 0, of: map)
        guard !first.isReady, !first.isOpening else { return .connection(first) }
        let standing = connectionsByPlace.lazy.compactMap(\.self).first(where: \.isReady)
        return .connection(standing ?? first)
    }

    private func advance(_ request: ClusterRequest, over connection: RedisConnection, asking: Bool = false) {
        if connection.isReady { return dispatch(request, over: connection, asking: asking) }
        var request = request
        request.reason = .notConnected(connection.lastFailure)
        // It is not known yet whether that server can be reached, or it is known that it can not.
        if connection.isOpening { park(request) } else { request.fail(request.reason) }
    }

    private func dispatch(_ request: ClusterRequest, over connection: RedisConnection, asking: Bool) {
        let identifier = request.identifier
        let waiter = request.waiter.guarded { error in
            error.map { self.goesOn(request, after: $0, from: connection) } ?? false
        }
        switch request.work {
        case .script(let call): connection.run(call, identifier: identifier, waiter: waiter)
        case .command(let command):
            // Lets the server carry out the next command alone.
            if asking { connection.send(RedisCommand("ASKING"), identifier: identifier) { _ in } }
            connection.send(command, identifier: identifier, waiter: waiter)
        }
    }

    /// - Returns: Whether the request is on its way again.
    private func goesOn(_ request: ClusterRequest, after error: RedisError, from connection: RedisConnection) -> Bool {
        guard let node = connection.node, let redirection = Redirection(error, from: node.host) else { return false }
        if redirection != .tryAgain { topology.refresh(after: redirection) }
        if case .node = request.destination { return false }
        guard !isShutDown, .now() < request.deadline else { return false }
        var request = request
        request.redirections += 1
        request.reason = error
        switch redirection {
        case .moved(let node) where request.redirections <= Self.swiftRedirections:
            advance(request, over: self.connection(to: node))
        case .ask(let node) where !request.isScript: advance(request, over: self.connection(to: node), asking: true)
        case .moved, .ask, .tryAgain, .clusterDown: park(request)
        }
        return true
    }

    // MARK: Commands that wait

    private func park(_ request: ClusterRequest) {
        guard parked.count < configuration.maximumPendingCommands else { return request.fail(.queueFull) }
        parked.append(request)
        scheduleTry()
    }

    private func scheduleTry() {
        guard nextTry == nil, !parked.isEmpty else { return }
        nextTry = eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            self.nextTry = nil
            self.tryParked()
        }
    }

    private func tryParked() {
        let requests = parked
        parked = []
        let now = NIODeadline.now()
        for request in requests {
            if now >= request.deadline { request.fail(request.reason) } else { advance(request) }
        }
        scheduleTry()
    }

    // MARK: Servers

    private func connection(at place: Int, of map: ClusterMap) -> RedisConnection {
        if let connection = connectionsByPlace[place] { return connection }
        let connection = connection(to: map.primaries[place])
        connectionsByPlace[place] = connection
        return connection
    }

    private func connection(to node: HostAndPort) -> RedisConnection {
        if let connection = connectionsByNode[node] { return connection }
        let connection = topology.makeConnection(to: node, on: eventLoop)
        connection.observer = self
        connectionsByNode[node] = connection
        share()
        connection.start()
        return connection
    }

    private func share() {
        let connections = Array(connectionsByNode.values)
        let knowsServers = map != nil
        shared.withLock { ($0.connections, $0.knowsServers) = (connections, knowsServers) }
    }

    /// Goes by `map` from now on.
    func use(_ map: ClusterMap) {
        eventLoop.preconditionInEventLoop()
        guard !isShutDown else { return }
        self.map = map
        let primaries = Set(map.primaries)
        for (node, connection) in connectionsByNode where !primaries.contains(node) {
            connectionsByNode[node] = nil
            _ = connection.shutDown()
        }
        connectionsByPlace = map.primaries.map { connectionsByNode[$0] }
        share()
        tryParked()
    }

    /// Why no server has told where the others are.
    func missesMap(because reason: String) { shared.withLock { $0.failure = reason } }

    func start() { topology.start() }

    func lookAgain() { topology.refresh() }

    func shutDown() -> EventLoopFuture<Void> {
        eventLoop.preconditionInEventLoop()
        isShutDown = true
        nextTry?.cancel()
        let waiting = parked
        parked = []
        for request in waiting { request.fail(.closed) }
        topology.stop()
        return EventLoopFuture.andAllComplete(connectionsByNode.values.map { $0.shutDown() }, on: eventLoop)
    }
}

extension ClusterLink: RedisConnectionObserver {
    func connectionStands(_ connection: RedisConnection) { tryParked() }

    func connectionFailed(_ connection: RedisConnection) {
        guard !isShutDown else { return }
        topology.serverFailed()
        tryParked()
    }
}

extension RedisConnection {
    /// The server of a cluster that it leads to.
    var node: HostAndPort? {
        if case .tcp(let host, let port) = address { HostAndPort(host: host, port: port) } else { nil }
    }
}
