import Hiredis
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Keeps one connection to Redis standing on one event loop: connects, logs in, comes back after a failure.
///
/// Everything but what says so is used on the event loop alone.
package final class RedisConnection: @unchecked Sendable {
    // @unchecked Sendable, reason 1: every mutable property is read and written on `eventLoop` only, which each entry
    // point checks with `preconditionInEventLoop`. The others are atomic or locked.

    package typealias Waiter = (Result<RedisReply, RedisError>) -> Void

    package let eventLoop: any EventLoop
    private let configuration: RedisClientConfiguration
    private let tlsContext: NIOSSLContext?
    private let logger: Logger
    private let readiness = Atomic<Bool>(false)
    private let pendingCount = Atomic<Int>(0)

    private var lifecycle: ConnectionLifecycle
    private var channel: (any Channel)?
    private var handler: RedisChannelHandler?
    private let failure = Mutex("no attempt has been made yet")
    private var handshakeDeadline: Scheduled<Void>?
    private var retry: Scheduled<Void>?
    private var closeWaiters: [EventLoopPromise<Void>] = []

    init(
        eventLoop: any EventLoop, configuration: RedisClientConfiguration, tlsContext: NIOSSLContext?, logger: Logger
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.tlsContext = tlsContext
        self.logger = logger
        lifecycle = ConnectionLifecycle(backoff: configuration.backoff)
    }

    /// Whether commands can be sent right now. Any thread.
    package var isReady: Bool { readiness.load(ordering: .relaxed) }

    /// Commands without a reply yet. Any thread.
    package var pendingCommandCount: Int { pendingCount.load(ordering: .relaxed) }

    /// Why the last attempt failed or the last connection broke; empty while one stands. Any thread.
    package private(set) var lastFailure: String {
        get { failure.withLock(\.self) }
        set { failure.withLock { $0 = newValue } }
    }

    /// Sends `command`. `waiter` is called once, on the event loop. Call on the event loop.
    package func send(_ command: RedisCommand, identifier: UInt64 = 0, waiter: @escaping Waiter) {
        switch readyHandler() {
        case .success(let handler):
            handler.send(command, identifier: identifier, timeout: configuration.commandTimeout, waiter: waiter)
        case .failure(let error): waiter(.failure(error))
        }
    }

    /// Sends the one command that `write` appends to the bytes that leave next. `waiter` is called once, on the event
    /// loop, with nil when the reply is no flat array of a few integers. Call on the event loop.
    func send(
        identifier: UInt64, write: (inout ByteBuffer) -> Void,
        waiter: @escaping (Result<IntegerReply?, RedisError>) -> Void
    ) {
        switch readyHandler() {
        case .success(let handler):
            handler.send(
                identifier: identifier, timeout: configuration.commandTimeout, waiter: .integers(waiter), write: write)
        case .failure(let error): waiter(.failure(error))
        }
    }

    private func readyHandler() -> Result<RedisChannelHandler, RedisError> {
        eventLoop.preconditionInEventLoop()
        guard !lifecycle.isShutDown else { return .failure(.closed) }
        guard lifecycle.isReady, let handler else { return .failure(.notConnected(lastFailure)) }
        return .success(handler)
    }

    /// Lets the caller of a command go; the connection stays. Call on the event loop.
    func cancel(identifier: UInt64) {
        eventLoop.preconditionInEventLoop()
        handler?.cancel(identifier: identifier)
    }

    func start() {
        eventLoop.preconditionInEventLoop()
        perform(lifecycle.start())
    }

    /// Refuses new commands, answers those in flight, then closes.
    func shutDown() -> EventLoopFuture<Void> {
        eventLoop.preconditionInEventLoop()
        retry?.cancel()
        let action = lifecycle.shutDown(commandsInFlight: handler?.pendingCount ?? 0)
        readiness.store(false, ordering: .relaxed)
        let promise = eventLoop.makePromise(of: Void.self)
        closeWaiters.append(promise)
        perform(action)
        finishClosing()
        return promise.futureResult
    }

    private func perform(_ action: ConnectionLifecycle.Action) {
        switch action {
        case .none: break
        case .connect: connect()
        case .retry(let milliseconds):
            retry = eventLoop.scheduleTask(in: .milliseconds(milliseconds)) {
                self.perform(self.lifecycle.retryIsDue())
            }
        case .close:
            handler?.close(reason: "the client is shut down")
            finishClosing()
        }
    }

    private func finishClosing() {
        guard lifecycle.isClosed, channel == nil else { return }
        for promise in closeWaiters { promise.succeed() }
        closeWaiters = []
    }

    // MARK: Connecting

    private func connect() {
        let handler = RedisChannelHandler(
            maximumPendingCommands: configuration.maximumPendingCommands, delegate: self)
        let loopBoundHandler = NIOLoopBound(handler, eventLoop: eventLoop)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(configuration.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls = try self.makeTLSHandler() { try channel.pipeline.syncOperations.addHandler(tls) }
                    try channel.pipeline.syncOperations.addHandler(loopBoundHandler.value)
                }
            }
        let connected =
            switch configuration.endpoint.address {
            case .tcp(let host, let port): bootstrap.connect(host: host, port: port)
            case .unixSocket(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        connected.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel):
                self.channel = channel
                self.handler = handler
                self.shakeHands(handler)
            case .failure(let error): self.attemptFailed(reason: "\(error)")
            }
        }
    }

    private func makeTLSHandler() throws -> NIOSSLClientHandler? {
        guard let tlsContext, case .tcp(let host, _) = configuration.endpoint.address else { return nil }
        // Server Name Indication takes names only, never addresses (RFC 6066, section 3).
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: tlsContext, serverHostname: isAddress ? nil : host)
    }

    /// AUTH, SELECT, CLIENT SETNAME and PING in one write. The connection is ready when PING is answered.
    private func shakeHands(_ handler: RedisChannelHandler) {
        handshakeDeadline = eventLoop.assumeIsolated().scheduleTask(in: configuration.connectTimeout) {
            handler.close(reason: "Redis accepted the connection but does not answer")
        }
        func send(_ command: RedisCommand, onFailure: @escaping (RedisError) -> Void) {
            handler.send(command, identifier: 0, timeout: configuration.connectTimeout) { result in
                if case .failure(let error) = result { onFailure(error) }
            }
        }
        let endpoint = configuration.endpoint
        if let password = endpoint.password {
            let login = [endpoint.username, password].compactMap(\.self)
            send(RedisCommand(arguments: ["AUTH"] + login)) { handler.close(reason: "the login failed: \($0)") }
        }
        if endpoint.database != 0 {
            send(RedisCommand("SELECT", "\(endpoint.database)")) {
                handler.close(reason: "database \(endpoint.database) cannot be selected: \($0)")
            }
        }
        // A name is a courtesy to whoever reads CLIENT LIST; an ACL that forbids it does no harm.
        send(RedisCommand("CLIENT", "SETNAME", configuration.clientName)) { _ in }
        handler.send(RedisCommand("PING"), identifier: 0, timeout: configuration.connectTimeout) { result in
            switch result {
            case .success, .failure(.server(kind: "NOPERM", _)): self.becameReady()
            case .failure(let error): handler.close(reason: "\(error)")
            }
        }
    }

    private func becameReady() {
        handshakeDeadline?.cancel()
        perform(lifecycle.becameReady())
        guard lifecycle.isReady else { return }
        readiness.store(true, ordering: .relaxed)
        lastFailure = ""
        logger.notice("redis connected", metadata: ["redis": "\(configuration.endpoint.description)"])
    }

    private func attemptFailed(reason: String) {
        handshakeDeadline?.cancel()
        readiness.store(false, ordering: .relaxed)
        channel = nil
        handler = nil
        // A server that is away for an hour is one line in the log, not thousands.
        if reason != lastFailure && !lifecycle.isShutDown {
            logger.warning(
                "redis unavailable",
                metadata: ["redis": "\(configuration.endpoint.description)", "reason": "\(reason)"])
        }
        lastFailure = reason
        perform(lifecycle.connectionFailed(jitter: .random(in: 0..<1)))
        finishClosing()
    }
}

extension RedisConnection: RedisChannelDelegate {
    func channelClosed(reason: String) { attemptFailed(reason: reason) }

    func channelDrained() { perform(lifecycle.drained()) }

    func pendingCountChanged(_ count: Int) { pendingCount.store(count, ordering: .relaxed) }
}
