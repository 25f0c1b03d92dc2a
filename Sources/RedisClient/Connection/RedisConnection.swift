package import Hiredis
package import NIOCore
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
    private let readiness = Atomic<Bool>(false)
    private let pendingCount = Atomic<Int>(0)

    private let addresses: HostAddresses?
    private let log: OutageLog

    /// Nil where nothing depends on whether it stands.
    weak var observer: (any RedisConnectionObserver)?

    private var lifecycle: ConnectionLifecycle
    private var handler: RedisChannelHandler?
    private var attempt: RedisConnectAttempt?
    private let failure = Mutex("no attempt has been made yet")
    private var stoodSince = NIODeadline.now()
    private var retry: Scheduled<Void>?
    private var addressCheck: RepeatedTask?
    private var idleCheck: RepeatedTask?
    private var lastWriteCount: UInt64 = 0

    /// Those whose text is on its way to Redis, which then knows them.
    private var scriptsUnderWay: Set<String> = []
    private var closeWaiters: [EventLoopPromise<Void>] = []

    /// - Parameter addresses: Nil for a socket in the file system.
    init(
        eventLoop: any EventLoop, configuration: RedisClientConfiguration, tlsContext: NIOSSLContext?,
        addresses: HostAddresses?, log: OutageLog
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.tlsContext = tlsContext
        self.addresses = addresses
        self.log = log
        lifecycle = ConnectionLifecycle(backoff: configuration.backoff)
    }

    /// Whether commands can be sent right now: it stands, and Redis answers in time. Any thread.
    package var isReady: Bool { readiness.load(ordering: .relaxed) }

    /// Commands without a reply yet. Any thread.
    package var pendingCommandCount: Int { pendingCount.load(ordering: .relaxed) }

    /// Why the last attempt failed or the last connection broke; empty while one stands. Any thread.
    package private(set) var lastFailure: String {
        get { failure.withLock(\.self) }
        set { failure.withLock { $0 = newValue } }
    }

    var isClusterNode: Bool { configuration.isClusterNode }

    /// What it leads to.
    var address: RedisEndpoint.Address { configuration.endpoint.address }

    /// Whether it connects for the first time, so that it is not known whether the server can be reached.
    var isOpening: Bool { lifecycle.state == .connecting(failures: 0) }

    /// Sends `command`. `waiter` is called once, on the event loop. Call on the event loop.
    package func send(_ command: RedisCommand, identifier: UInt64 = 0, waiter: @escaping Waiter) {
        send(command, identifier: identifier, waiter: .reply(waiter))
    }

    func send(_ command: RedisCommand, identifier: UInt64, waiter: ReplyWaiter) {
        switch readyHandler() {
        case .success(let handler):
            handler.send(command, identifier: identifier, timeout: configuration.commandTimeout, waiter: waiter)
        case .failure(let error): waiter.fail(error)
        }
    }

    /// Sends the one command that `write` appends to the bytes that leave next. `waiter` is told once, on the event loop.
    /// Call on the event loop.
    func send(
        identifier: UInt64, waiter: ReplyWaiter, write: (inout ByteBuffer) throws(RedisError) -> Void
    ) {
        switch readyHandler() {
        case .success(let handler):
            handler.send(identifier: identifier, timeout: configuration.commandTimeout, waiter: waiter, write: write)
        case .failure(let error): waiter.fail(error)
        }
    }

    private func readyHandler() -> Result<RedisChannelHandler, RedisError> {
        eventLoop.preconditionInEventLoop()
        guard !lifecycle.isShutDown else { return .failure(.closed) }
        guard lifecycle.isReady, let handler else {
            return .failure(lifecycle.isStalled ? .stalled : .notConnected(lastFailure))
        }
        return .success(handler)
    }

    /// Whether a call of `script` that Redis did not know has to bring the text. Else another call has sent it, and what is
    /// sent now is carried out behind that. Call on the event loop.
    func beginsToSend(_ script: RedisScript) -> Bool {
        eventLoop.preconditionInEventLoop()
        return scriptsUnderWay.insert(script.sha1).inserted
    }

    func hasSent(_ script: RedisScript) { scriptsUnderWay.remove(script.sha1) }

    /// Lets the callers of the commands of that identifier go; the connection stays. Call on the event loop.
    package func cancel(identifier: UInt64) {
        eventLoop.preconditionInEventLoop()
        handler?.cancel(identifier: identifier)
    }

    package func start() {
        eventLoop.preconditionInEventLoop()
        perform(lifecycle.start())
        // Half of it, for it may have begun just after the last look.
        let interval = TimeAmount.nanoseconds(max(1_000_000, configuration.idleInterval.nanoseconds / 2))
        idleCheck = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            self.checkIdleness()
        }
        guard addresses != nil else { return }
        addressCheck = eventLoop.scheduleRepeatedTask(
            initialDelay: configuration.addressInterval, delay: configuration.addressInterval
        ) { _ in self.checkAddress() }
    }

    /// Refuses new commands, answers those in flight, then closes. Takes little longer than a command may.
    package func shutDown() -> EventLoopFuture<Void> {
        eventLoop.preconditionInEventLoop()
        retry?.cancel()
        addressCheck?.cancel()
        idleCheck?.cancel()
        attempt?.cancel()
        attempt = nil
        let action = lifecycle.shutDown(commandsInFlight: handler?.hasWaiters == true ? pendingCommandCount : 0)
        readiness.store(false, ordering: .relaxed)
        let promise = eventLoop.makePromise(of: Void.self)
        closeWaiters.append(promise)
        perform(action)
        finishClosing()
        if !lifecycle.isClosed {
            eventLoop.scheduleTask(in: configuration.commandTimeout + .seconds(1)) {
                self.handler?.close(reason: "the client is shut down")
            }
        }
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
        case .resume(let wasSilent): resume(wasSilent: wasSilent)
        case .close:
            handler?.close(reason: "the client is shut down")
            finishClosing()
        }
    }

    private func finishClosing() {
        guard lifecycle.isClosed else { return }
        for promise in closeWaiters { promise.succeed() }
        closeWaiters = []
    }

    // MARK: Connecting

    private func connect() {
        attempt?.cancel()
        attempt = makeAttempt { result in
            switch result {
            case .success(let handler): self.connected(handler)
            case .failure(let failure): self.attemptFailed(failure)
            }
        }
        attempt?.begin()
    }

    private func makeAttempt(
        whenEnded: @escaping (Result<RedisChannelHandler, RedisConnectAttempt.Failure>) -> Void
    ) -> RedisConnectAttempt {
        RedisConnectAttempt(
            configuration, tlsContext: tlsContext, addresses: addresses, eventLoop: eventLoop
        ) { result in
            self.attempt = nil
            whenEnded(result)
        }
    }

    private func connected(_ handler: RedisChannelHandler) {
        perform(lifecycle.becameReady())
        guard lifecycle.isReady else { return handler.close(reason: "the client is shut down") }
        if let stalled = self.handler {
            stalled.delegate = nil
            stalled.close(reason: "another connection has taken its place")
        }
        pendingCount.store(0, ordering: .relaxed)
        use(handler)
        stoodSince = .now()
        readiness.store(true, ordering: .relaxed)
        lastFailure = ""
        log.stands(self)
        observer?.connectionStands(self)
    }

    private func use(_ handler: RedisChannelHandler) {
        self.handler = handler
        handler.delegate = self
    }

    private func attemptFailed(_ failure: RedisConnectAttempt.Failure) {
        lastFailure = failure.reason
        log.failed(self, reason: failure.reason)
        perform(lifecycle.attemptFailed(failure.cost, jitter: .random(in: 0..<1)))
        observer?.connectionFailed(self)
    }

    private func connectionBroke(_ reason: String) {
        let cost: Backoff.Cost = handler?.wasToldWhy == true ? .little : .handshake
        readiness.store(false, ordering: .relaxed)
        pendingCount.store(0, ordering: .relaxed)
        handler = nil
        // Beside one that was kept there are attempts, which say more.
        if !lifecycle.keepsStalled { lastFailure = reason }
        if !lifecycle.isShutDown { log.failed(self, reason: reason) }
        perform(
            lifecycle.connectionBroke(stoodMilliseconds: stoodMilliseconds, cost, jitter: .random(in: 0..<1)))
        observer?.connectionFailed(self)
        finishClosing()
    }

    private var stoodMilliseconds: Int64 { (NIODeadline.now() - stoodSince).nanoseconds / 1_000_000 }

    // MARK: A Redis that hangs

    /// The connection that had stalled is of use again.
    private func resume(wasSilent: Bool) {
        attempt?.cancel()
        attempt = nil
        retry?.cancel()
        readiness.store(true, ordering: .relaxed)
        lastFailure = ""
        log.stands(self)
        observer?.connectionStands(self)
        // While it hung, another may have taken the place of this server.
        if wasSilent { checkAddress() }
    }

    /// A peer that is gone without a word shows only when it is asked.
    private func checkIdleness() {
        guard lifecycle.isReady, let handler else { return }
        if handler.writeCount == lastWriteCount { send(RedisCommand("PING")) { _ in } }
        // Without the PING, which leaves at the end of this tick: the next look finds that something was sent.
        lastWriteCount = handler.writeCount
    }

    // MARK: A name that leads elsewhere

    /// Redis may be elsewhere by now: looks at once, or tries again at once. Call on the event loop.
    package func lookAgain() {
        eventLoop.preconditionInEventLoop()
        checkAddress()
        // One that is just being looked up comes to the new place by itself.
        guard attempt?.isLookingUp != true else { return }
        retry?.cancel()
        perform(lifecycle.lookAgain())
    }

    /// Asks where the name leads. If it is elsewhere, a second connection is made, which takes the first one's place
    /// only when it is good: no command is lost over it.
    private func checkAddress() {
        guard let addresses, lifecycle.isReady, let old = handler, let address = old.remoteAddress else { return }
        addresses.lookUp(on: eventLoop).assumeIsolated().whenSuccess { found in
            guard !found.isEmpty, !found.contains(address), self.handler === old, self.lifecycle.isReady,
                self.attempt == nil
            else { return }
            self.attempt = self.makeAttempt { result in
                guard case .success(let new) = result else { return }
                guard self.handler === old, self.lifecycle.isReady else { return new.close(reason: "not needed") }
                self.log.moved(from: "\(address)", to: new.remoteAddress.map { "\($0)" } ?? "?")
                self.use(new)
                old.retire()
            }
            self.attempt?.begin()
        }
    }
}

/// The owner of a connection, told on its event loop whether the connection stands.
protocol RedisConnectionObserver: AnyObject {
    func connectionStands(_ connection: RedisConnection)

    /// An attempt has failed, or a connection that stood was lost or does not answer in time.
    func connectionFailed(_ connection: RedisConnection)
}

extension RedisConnection: RedisLink {
    package var connections: [RedisConnection] { [self] }
}

extension RedisConnection: RedisChannelDelegate {
    func channelClosed(reason: String) { connectionBroke(reason) }

    func channelDrained() { perform(lifecycle.drained()) }

    func pendingCountChanged(_ count: Int) { pendingCount.store(count, ordering: .relaxed) }

    func repliesOverdue(on handler: RedisChannelHandler) {
        guard !lifecycle.isShutDown else {
            if !handler.hasWaiters { handler.close(reason: RedisChannelHandler.overdueReason) }
            return
        }
        guard lifecycle.isReady else { return }
        lifecycle.repliesOverdue()
        readiness.store(false, ordering: .relaxed)
        lastFailure = RedisChannelHandler.overdueReason
        log.stalled()
        observer?.connectionFailed(self)
    }

    func channelSilent(_ handler: RedisChannelHandler) {
        log.failed(self, reason: RedisChannelHandler.overdueReason)
        perform(lifecycle.fellSilent(stoodMilliseconds: stoodMilliseconds, jitter: .random(in: 0..<1)))
        observer?.connectionFailed(self)
    }

    func channelRevived(_ handler: RedisChannelHandler) { perform(lifecycle.revived()) }
}
