import NIOCore
import NIOPosix
import NIOSSL

/// The connections of one event loop to one upstream. The decisions are ``PoolState``'s.
///
/// Confined to its event loop.
final class UpstreamPool {
    private let eventLoop: any EventLoop
    private let upstream: Upstream
    private let tls: NIOSSLContext?
    private var state: PoolState<UpstreamConnection, ProxyExchange>
    private var isTimerSet = false
    private var connectTimeout = TimeAmount.seconds(2)
    private var tunnels: [ObjectIdentifier: UpstreamConnection] = [:]

    init(eventLoop: any EventLoop, upstream: Upstream, policy: PoolPolicy, tls: NIOSSLContext?) {
        self.eventLoop = eventLoop
        self.upstream = upstream
        self.tls = tls
        state = PoolState(policy: policy)
    }

    var idleCount: Int { state.idleCount }
    var busyCount: Int { state.busyCount }

    /// Gets a connection for `exchange`, which is told: at once when one is free.
    func acquire(for exchange: ProxyExchange, connectTimeout: TimeAmount) {
        self.connectTimeout = connectTimeout
        switch state.request(exchange, at: NIODeadline.now().uptimeNanoseconds) {
        case .use(let connection): exchange.begin(on: connection)
        case .wait: setTimer()
        case .connectAndWait:
            setTimer()
            connect()
        case .refuse: exchange.upstreamUnavailable(.unavailable(state.isClosed ? .shuttingDown : .poolExhausted))
        }
    }

    func cancel(_ exchange: ProxyExchange) { _ = state.cancel(exchange) }

    func release(_ connection: UpstreamConnection, isReusable: Bool) {
        let now = NIODeadline.now().uptimeNanoseconds
        perform(
            state.release(connection, isReusable: isReusable, born: connection.born, at: now), on: connection)
    }

    private func perform(
        _ action: PoolState<UpstreamConnection, ProxyExchange>.Release, on connection: UpstreamConnection
    ) {
        switch action {
        case .give(let exchange): exchange.begin(on: connection)
        case .keep:
            connection.becameIdle()
            setTimer()
        case .close:
            connection.close()
            if state.shouldConnect() { connect() }
        }
    }

    func idleClosed(_ connection: UpstreamConnection) { state.idleClosed(connection) }

    func busyClosed(_ connection: UpstreamConnection) {
        _ = state.release(connection, isReusable: false, born: 0, at: 0)
        if state.shouldConnect() { connect() }
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
        let now = NIODeadline.now()
        for connection in state.expire(at: now.uptimeNanoseconds) { connection.close() }
        for exchange in state.giveUp(since: (now - connectTimeout).uptimeNanoseconds) {
            exchange.upstreamUnavailable(
                state.connectingCount > 0 ? .gatewayTimeout(.connect) : .unavailable(.poolExhausted))
        }
        if state.idleCount + state.waitingCount > 0 { setTimer() }
    }

    // MARK: Connecting

    private func connect() {
        let deadline = NIODeadline.now() + connectTimeout
        let slot = NIOLoopBoundBox<UpstreamConnection?>(nil, eventLoop: eventLoop)
        var timer: Scheduled<Void>?
        let connection = UpstreamConnection(pool: self) { result in
            timer?.cancel()
            self.connectEnded(result, slot)
        }
        slot.value = connection
        timer = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            connection.failed(with: .gatewayTimeout(.connect))
        }
        let (upstream, tls) = (upstream, tls)
        ClientBootstrap(group: eventLoop)
            .connectTimeout(connectTimeout)
            .channelOption(.autoRead, value: false)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = try tls.map { try Self.makeTLSHandler($0, upstream) }
                    try slot.value?.addHandlers(to: channel, tls: handler)
                }
            }
            .connect(host: upstream.host, port: upstream.port)
            .assumeIsolated().whenComplete { result in
                switch result {
                case .success: if tls == nil { connection.becameReady(at: .now()) }
                case .failure(let error): connection.failed(with: Self.proxyError(error))
                }
            }
    }

    private func connectEnded(
        _ result: Result<Void, ProxyError>, _ slot: NIOLoopBoundBox<UpstreamConnection?>
    ) {
        guard let connection = slot.value.take() else { return }
        switch result {
        case .success: perform(state.connected(connection, at: connection.born), on: connection)
        case .failure(let error):
            state.connectFailed()?.upstreamUnavailable(error)
            if state.shouldConnect() { connect() }
        }
    }

    private static func makeTLSHandler(_ context: NIOSSLContext, _ upstream: Upstream) throws -> NIOSSLClientHandler {
        let name = upstream.serverName ?? upstream.host
        // Server Name Indication takes names only, never addresses (RFC 6066, section 3).
        let isAddress = (try? SocketAddress(ipAddress: name, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : name)
    }

    private static func proxyError(_ error: any Error) -> ProxyError {
        switch error {
        case ChannelError.connectTimeout: .gatewayTimeout(.connect)
        case let error as NIOConnectionError:
            .badGateway(.connectFailed(error.connectionErrors.first.map { "\($0.error)" } ?? "the name has no address"))
        default: .badGateway(.connectFailed("\(error)"))
        }
    }
}

@available(*, unavailable)
extension UpstreamPool: Sendable {}
