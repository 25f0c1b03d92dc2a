import Hiredis
import NIOCore

/// Listens to one sentinel for the word that a primary has taken another's place, for as long as it is not stopped.
///
/// Confined to its event loop.
final class SentinelWatch {
    /// How long it waits before it listens again to a sentinel that was lost.
    private static let pause: TimeAmount = .seconds(1)

    /// How often it is looked whether the sentinel is still there.
    private static let pingInterval: TimeAmount = .seconds(5)

    /// All sentinels say so in the end.
    private static let switched = "+switch-master"

    /// The one that leads the failover says so when it has seen it, which may be long before.
    private static let promoted = "+promoted-slave"

    private let place: HostAndPort
    private let primary: String
    private let connector: SentinelConnector
    private let eventLoop: any EventLoop
    private let timeout: TimeAmount
    private let whenSwitched: () -> Void
    private var handler: RedisChannelHandler?
    private var next: Scheduled<Void>?
    private var isStopped = false

    /// - Parameters:
    ///   - timeout: How long the sentinel has for an answer.
    ///   - whenSwitched: Called at each announced failover.
    init(
        _ place: HostAndPort, of primary: String, connector: SentinelConnector, eventLoop: any EventLoop,
        timeout: TimeAmount, whenSwitched: @escaping () -> Void
    ) {
        self.place = place
        self.primary = primary
        self.connector = connector
        self.eventLoop = eventLoop
        self.timeout = timeout
        self.whenSwitched = whenSwitched
    }

    func start() {
        guard !isStopped else { return }
        connector.connect(to: place, on: eventLoop) { result in
            switch result {
            case .failure: self.schedule(in: Self.pause) { self.start() }
            case .success(let handler): self.listen(handler)
            }
        }
    }

    func stop() {
        isStopped = true
        next?.cancel()
        handler?.close(reason: "the client is shut down")
        handler = nil
    }

    private func listen(_ handler: RedisChannelHandler) {
        guard !isStopped else { return handler.close(reason: "the client is shut down") }
        self.handler = handler
        handler.delegate = self
        handler.whenPushed = { [weak self] in self?.received($0) }
        // One by one: users may be allowed only the first.
        for channel in [Self.switched, Self.promoted] { ask(RedisCommand("SUBSCRIBE", channel)) }
        // What was decided before is asked for now.
        whenSwitched()
        schedule(in: Self.pingInterval) { self.ping() }
    }

    /// One that is silent closes the connection, as an answer that is overdue does.
    private func ping() {
        ask(RedisCommand("PING"))
        schedule(in: Self.pingInterval) { self.ping() }
    }

    private func ask(_ command: RedisCommand) {
        handler?.send(command, identifier: 0, timeout: timeout) { result in
            // A word that came before the answer was taken for it.
            if case .success(let reply) = result { self.received(reply) }
        }
    }

    private func schedule(in delay: TimeAmount, _ action: @escaping () -> Void) {
        guard !isStopped else { return }
        next?.cancel()
        next = eventLoop.assumeIsolated().scheduleTask(in: delay, action)
    }

    /// `message`, the channel, and `<primary> <old address> <old port> <new address> <new port>`, or
    /// `slave <name> <address> <port> @ <primary> <old address> <old port>`.
    private func received(_ reply: RedisReply) {
        guard let texts = reply.array?.map({ $0.string ?? "" }), texts.count == 3, texts[0] == "message" else { return }
        let words = texts[2].split(separator: " ")
        let name: Substring? =
            switch texts[1] {
            case Self.switched: words.first
            case Self.promoted: words.dropFirst(5).first
            default: nil
            }
        guard let name, name == primary else { return }
        whenSwitched()
    }
}

extension SentinelWatch: RedisChannelDelegate {
    func channelClosed(reason: String) {
        handler = nil
        schedule(in: Self.pause) { self.start() }
    }

    func channelDrained() {}
    func pendingCountChanged(_ count: Int) {}
}

@available(*, unavailable)
extension SentinelWatch: Sendable {}

/// Listens to all sentinels of a primary, on one event loop.
final class SentinelWatches: Sendable {
    private let group: SentinelGroup
    private let connector: SentinelConnector
    private let timeout: TimeAmount
    private let eventLoop: any EventLoop
    private let watches: NIOLoopBoundBox<[SentinelWatch]?>

    /// Nil when there are no sentinels.
    init?(_ configuration: RedisClientConfiguration, _ connector: SentinelConnector, eventLoop: any EventLoop) {
        guard case .sentinels(let group) = configuration.endpoint.address else { return nil }
        self.group = group
        self.connector = connector
        self.eventLoop = eventLoop
        timeout = configuration.connectTimeout
        watches = .makeEmptyBox(valueType: [SentinelWatch].self, eventLoop: eventLoop)
    }

    /// - Parameter whenSwitched: Called at each announced failover, from each sentinel.
    func start(_ whenSwitched: @escaping @Sendable () -> Void) {
        eventLoop.execute { [self] in
            let started = group.places.map {
                SentinelWatch(
                    $0, of: group.primary, connector: connector, eventLoop: eventLoop, timeout: timeout,
                    whenSwitched: whenSwitched)
            }
            for watch in started { watch.start() }
            watches.value = started
        }
    }

    func stop() {
        eventLoop.execute { [watches] in
            for watch in watches.value ?? [] { watch.stop() }
            watches.value = []
        }
    }
}
