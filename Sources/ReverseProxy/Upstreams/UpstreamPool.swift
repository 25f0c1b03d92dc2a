import NIOCore
import NIOSSL
import NameResolution

/// The connections of one event loop to one upstream. The decisions are ``PoolState``'s, what is known of the
/// upstream's addresses ``AddressBook``'s.
///
/// Confined to its event loop.
final class UpstreamPool {
    private let eventLoop: any EventLoop
    private let upstream: Upstream
    private let tls: NIOSSLContext?
    private let resolver: any NameResolver
    private let reservedDescriptors: Int?
    private var state: PoolState<UpstreamConnection, any ConnectionUser>
    private var addresses: AddressBook
    private var awaitingAddresses: [ConnectAttempt] = []
    private var isTimerSet = false

    /// The longest that a route waits for a connection: an attempt may serve any of them.
    private var connectTimeout = TimeAmount.zero

    init(
        eventLoop: any EventLoop, upstream: Upstream, policy: PoolPolicy, tls: NIOSSLContext?,
        resolver: any NameResolver, reservedDescriptors: Int?
    ) {
        self.reservedDescriptors = reservedDescriptors
        self.eventLoop = eventLoop
        self.upstream = upstream
        self.tls = tls
        self.resolver = resolver
        state = PoolState(policy: policy)
        addresses = AddressBook(
            host: upstream.host, port: upstream.port, lifetime: policy.lookupMilliseconds * 1_000_000)
    }

    var idleCount: Int { state.idleCount }
    var busyCount: Int { state.busyCount }

    /// Gets a connection for `exchange`, which is told: at once when one is free.
    func acquire(for exchange: any ConnectionUser, connectTimeout: TimeAmount) {
        if connectTimeout > self.connectTimeout { self.connectTimeout = connectTimeout }
        let now = NIODeadline.now()
        let deadline = (now + connectTimeout).uptimeNanoseconds
        let request = state.request(exchange, deadline: deadline, at: now.uptimeNanoseconds) { exchange.client }
        switch request {
        case .use(let connection): exchange.begin(on: connection)
        case .wait: setTimer()
        case .connectAndWait:
            setTimer()
            connect()
        case .refuse: exchange.upstreamUnavailable(.unavailable(state.isClosed ? .shuttingDown : .poolExhausted))
        case .refuseClient: exchange.upstreamUnavailable(.unavailable(.clientShareExhausted))
        }
    }

    func cancel(_ exchange: any ConnectionUser) {
        // In its place one that was held back may have come into the queue.
        if state.cancel(where: { $0 === exchange }) { connectIfNeeded() }
    }

    func release(_ connection: UpstreamConnection, isReusable: Bool) {
        let now = NIODeadline.now().uptimeNanoseconds
        let isReusable = isReusable && leadsToUpstream(connection)
        perform(
            state.release(connection, isReusable: isReusable, born: connection.born, at: now), on: connection)
    }

    private func perform(
        _ action: PoolState<UpstreamConnection, any ConnectionUser>.Release, on connection: UpstreamConnection
    ) {
        switch action {
        case .give(let exchange): exchange.begin(on: connection)
        case .keep:
            connection.becameIdle()
            setTimer()
        case .close:
            connection.close()
            connectIfNeeded()
        }
    }

    func idleClosed(_ connection: UpstreamConnection) { state.idleClosed(connection) }

    func busyClosed(_ connection: UpstreamConnection) {
        _ = state.release(connection, isReusable: false, born: 0, at: 0)
        connectIfNeeded()
    }

    /// Closes what is idle and refuses what waits; exchanges in progress end in their own time.
    func shutDown() {
        let (idle, waiting) = state.close()
        for connection in idle { connection.close() }
        for exchange in waiting { exchange.upstreamUnavailable(.unavailable(.shuttingDown)) }
    }

    // MARK: Time

    /// How often old connections and those who have waited for too long are looked for.
    private static let checkInterval = TimeAmount.milliseconds(250)

    private func setTimer() {
        guard !isTimerSet else { return }
        isTimerSet = true
        eventLoop.assumeIsolated().scheduleTask(in: Self.checkInterval) { [weak self] in self?.checkTime() }
    }

    private func checkTime() {
        isTimerSet = false
        let now = NIODeadline.now().uptimeNanoseconds
        for connection in state.expire(at: now) { connection.close() }
        giveUp(at: now)
        guard state.idleCount + state.busyCount + state.waitingCount > 0 else { return }
        lookUp(at: now)
        setTimer()
    }

    private func giveUp(at now: UInt64) {
        let late = state.giveUp(at: now)
        for exchange in late.connecting { exchange.upstreamUnavailable(.gatewayTimeout(.connect)) }
        for exchange in late.queued { exchange.upstreamUnavailable(.unavailable(.poolExhausted)) }
        for exchange in late.heldBack { exchange.upstreamUnavailable(.unavailable(.clientShareExhausted)) }
        connectIfNeeded()
    }

    // MARK: Connecting

    private func connectIfNeeded() {
        if state.shouldConnect(at: NIODeadline.now().uptimeNanoseconds) { connect() }
    }

    private func connect() {
        var attempt: ConnectAttempt?
        let begun = ConnectAttempt(
            upstream, tls: tls, reservedDescriptors: reservedDescriptors, timeout: connectTimeout, eventLoop: eventLoop
        ) { result in
            self.awaitingAddresses.removeAll { $0 === attempt }
            attempt = nil
            self.connectEnded(result)
        }
        attempt = begun
        if addresses.isUsable { return connect(begun) }
        awaitingAddresses.append(begun)
        lookUp(at: NIODeadline.now().uptimeNanoseconds)
    }

    private func connect(_ attempt: ConnectAttempt) {
        let generation = addresses.generation
        attempt.connect(to: addresses.next()) {
            UpstreamConnection(pool: self, eventLoop: self.eventLoop, addressGeneration: generation)
        }
    }

    private func connectEnded(_ result: Result<UpstreamConnection, ProxyError>) {
        let now = NIODeadline.now().uptimeNanoseconds
        switch result {
        case .success(let connection):
            connection.born = now
            perform(state.connected(connection, at: now), on: connection)
        case .failure(.gatewayTimeout(.connect)):
            addresses.doubt()
            state.connectTimedOut()
            giveUp(at: now)
        case .failure(let error):
            if error != .unavailable(.outOfDescriptors) { addresses.doubt() }
            state.connectFailed()?.upstreamUnavailable(error)
            connectIfNeeded()
        }
    }

    // MARK: Addresses

    /// Asks for the name's addresses when it is time to.
    private func lookUp(at now: UInt64) {
        guard addresses.beginsLookup(at: now) else { return }
        resolver.addresses(of: upstream.host, port: upstream.port, on: eventLoop).assumeIsolated()
            .whenComplete { result in self.lookedUp((try? result.get()) ?? []) }
    }

    private func lookedUp(_ found: [SocketAddress]) {
        if addresses.lookedUp(found, at: NIODeadline.now().uptimeNanoseconds) {
            for connection in state.removeIdle(where: { !leadsToUpstream($0) }) { connection.close() }
        }
        let attempts = awaitingAddresses
        awaitingAddresses = []
        for attempt in attempts { connect(attempt) }
    }

    /// Whether the address of `connection` is still one of the name's.
    private func leadsToUpstream(_ connection: UpstreamConnection) -> Bool {
        if connection.addressGeneration == addresses.generation { return true }
        guard let address = connection.remoteAddress, addresses.addresses.contains(address) else { return false }
        connection.addressGeneration = addresses.generation
        return true
    }
}

@available(*, unavailable)
extension UpstreamPool: Sendable {}
