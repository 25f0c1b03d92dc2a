package import Hiredis
package import Logging
package import NIOCore
import NIOSSL
import Synchronization

/// A Redis client with one link on every event loop, shared by all requests of that loop, and one for what is in no
/// hurry and may be large, so that no request waits behind it.
///
/// Commands are pipelined: no caller waits for another's reply before sending. When Redis is away commands fail at once;
/// connections come back by themselves. A command whose reply was lost is never sent again.
package final class RedisClient: Sendable {
    private let links: [any RedisLink]
    private let background: any RedisLink
    private let nextLink = Atomic<Int>(0)
    private let nextIdentifier = Atomic<UInt64>(1)
    private let probe: [RedisCommand]

    /// Whether the keys are kept by several servers.
    package let isCluster: Bool

    /// The whole probe was answered before.
    private let hasBeenFit = Atomic<Bool>(false)

    /// Nil without sentinels.
    private let watches: SentinelWatches?

    /// - Throws: `NIOSSLError` when the TLS configuration cannot be used.
    package init(
        configuration: RedisClientConfiguration, eventLoopGroup: any EventLoopGroup, logger: Logger
    ) throws {
        let tlsContext =
            configuration.endpoint.usesTLS
            ? try NIOSSLContext(configuration: configuration.tls ?? .makeClientConfiguration()) : nil
        let eventLoops = Array(eventLoopGroup.makeIterator())
        probe = configuration.probe
        isCluster = if case .cluster = configuration.endpoint.address { true } else { false }
        if case .cluster(let seeds) = configuration.endpoint.address {
            let topology = ClusterTopology(
                seeds, configuration: configuration, tlsContext: tlsContext, eventLoop: eventLoops[0], logger: logger)
            let made = ([eventLoops[0]] + eventLoops).map {
                ClusterLink(eventLoop: $0, configuration: configuration, topology: topology)
            }
            topology.serve(made, askingOver: made[0])
            (links, background, watches) = (Array(made.dropFirst()), made[0], nil)
            return
        }
        let connector = SentinelConnector(configuration, tlsContext: tlsContext)
        let addresses = HostAddresses(of: configuration, connector)
        let log = OutageLog(
            connectionCount: eventLoops.count + 1, endpoint: configuration.endpoint.description, logger: logger)
        watches = SentinelWatches(configuration, connector, eventLoop: eventLoops[0])
        let made = ([eventLoops[0]] + eventLoops).map { eventLoop in
            RedisConnection(
                eventLoop: eventLoop, configuration: configuration, tlsContext: tlsContext, addresses: addresses,
                log: log)
        }
        (links, background) = (Array(made.dropFirst()), made[0])
    }

    private var all: [any RedisLink] { links + [background] }

    /// Begins to connect and returns at once; works when Redis is not there yet.
    package func start() {
        for link in all { link.eventLoop.execute { link.start() } }
        watches?.start { [all] in
            for link in all { link.eventLoop.execute { link.lookAgain() } }
        }
    }

    /// Refuses new commands, waits for the replies of those in flight (no longer than the command timeout), closes.
    package func shutDown() async {
        watches?.stop()
        let closing = all.map { link in link.eventLoop.flatSubmit { link.shutDown() } }
        for future in closing { try? await future.get() }
    }

    /// Whether every event loop can send commands.
    package var isReady: Bool { all.allSatisfy(\.isReady) }

    /// Connections of event loops that stand, of ``connectionCount``.
    package var readyConnectionCount: Int { links.reduce(0) { $0 + $1.connections.count(where: \.isReady) } }
    package var connectionCount: Int { links.reduce(0) { $0 + $1.connections.count } }

    /// Commands without a reply yet, on all connections.
    package var pendingCommandCount: Int {
        all.reduce(0) { $0 + $1.connections.reduce(0) { $0 + $1.pendingCommandCount } }
    }

    /// Why an event loop cannot send commands, or not to all servers. Nil while all can.
    package var lastFailure: String? {
        all.lazy.filter { !$0.isReady || $0.connections.contains { !$0.isReady } }.map(\.lastFailure).first {
            !$0.isEmpty
        }
    }

    /// The link of `eventLoop`, for callers that live on it. Nil when the loop is of another group.
    package func link(on eventLoop: any EventLoop) -> (any RedisLink)? {
        links.first { $0.eventLoop === eventLoop }
    }

    /// Sends one command and waits for its reply.
    package func execute(_ command: RedisCommand) async throws(RedisError) -> RedisReply {
        try await call { link, identifier, waiter in link.send(command, identifier: identifier, waiter: waiter) }
    }

    /// Runs a script and waits for its reply.
    package func run(_ call: RedisScript.Call) async throws(RedisError) -> RedisReply {
        try await self.call { link, identifier, waiter in link.run(call, identifier: identifier, waiter: waiter) }
    }

    /// What one of Redis' servers has answered.
    package struct ServerReply: Sendable {
        /// Where it is, if it is one of a cluster's.
        package let server: String?
        package let reply: Result<RedisReply, RedisError>
    }

    /// Sends `command`, which is about no key, to every server that takes writes, and waits for all replies.
    package func executeEverywhere(_ command: RedisCommand) async -> [ServerReply] {
        guard let cluster = background as? ClusterLink else {
            let reply = await result { () throws(RedisError) in try await self.execute(command) }
            return [ServerReply(server: nil, reply: reply)]
        }
        let primaries = (try? await cluster.eventLoop.submit { cluster.primaries }.get()) ?? []
        guard !primaries.isEmpty else {
            return [ServerReply(server: nil, reply: .failure(.notConnected(cluster.lastFailure)))]
        }
        return await withTaskGroup(of: (Int, ServerReply).self) { group in
            for (place, node) in primaries.enumerated() {
                group.addTask {
                    let reply = await self.result { () throws(RedisError) in
                        try await self.call(on: cluster) { _, _, waiter in
                            cluster.send(command, to: node, waiter: waiter)
                        }
                    }
                    return (place, ServerReply(server: "\(node)", reply: reply))
                }
            }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private func result<Reply: Sendable>(
        _ ask: () async throws(RedisError) -> Reply
    ) async -> Result<Reply, RedisError> {
        do throws(RedisError) { return .success(try await ask()) } catch { return .failure(error) }
    }

    /// PING on every link: true when all answer.
    package func ping() async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            for link in links {
                group.addTask {
                    let reply = try? await self.call(on: link) { link, identifier, waiter in
                        link.send(RedisCommand("PING"), identifier: identifier, waiter: waiter)
                    }
                    return reply == .status("PONG")
                }
            }
            return await group.allSatisfy(\.self)
        }
    }

    /// Why commands would fail right now: sends the probe on every link. Nil when all of it is answered; in a cluster,
    /// once all of it was answered, as long as a part of it is, for then some users can be served.
    package func unfitness() async -> String? {
        await withTaskGroup(of: String?.self) { group in
            for link in links { group.addTask { await self.unfitness(of: link) } }
            return await group.first { $0 != nil } ?? nil
        }
    }

    private func unfitness(of link: any RedisLink) async -> String? {
        guard link.isReady else { return link.lastFailure }
        let commands = probe.isEmpty ? [RedisCommand("PING")] : probe
        do throws(RedisError) {
            let failures = try await call(on: link) { link, identifier, waiter in
                var failures: [RedisError] = []
                var waitingFor = commands.count
                for command in commands {
                    link.send(command, identifier: identifier) { result in
                        if case .failure(let error) = result, !error.isUnknownScript { failures.append(error) }
                        waitingFor -= 1
                        if waitingFor == 0 { waiter(.success(failures)) }
                    }
                }
            }
            if failures.isEmpty { hasBeenFit.store(true, ordering: .relaxed) }
            let isServed = isCluster && hasBeenFit.load(ordering: .relaxed) && failures.count < commands.count
            return isServed ? nil : failures.first.map { "\($0)" }
        } catch {
            return "\(error)"
        }
    }

    /// What is done on a link's event loop, such as sending a command under `identifier`, which is how it is
    /// cancelled. It calls `waiter` once.
    package typealias Operation<Reply> =
        @Sendable (
            _ link: any RedisLink, _ identifier: UInt64,
            _ waiter: @escaping (Result<Reply, RedisError>) -> Void
        ) -> Void

    /// The next link in turn, past those that cannot send.
    private func pickLink() -> any RedisLink {
        let first = nextLink.wrappingAdd(1, ordering: .relaxed).oldValue
        for offset in 0..<links.count {
            let link = links[Int(UInt(bitPattern: first &+ offset) % UInt(links.count))]
            if link.isReady { return link }
        }
        return links[Int(UInt(bitPattern: first) % UInt(links.count))]
    }

    /// Lets `operation` use the next link in turn, and waits for what it gives.
    ///
    /// - Parameter inBackground: Over the connection that no request of the data plane waits for.
    package func call<Reply: Sendable>(
        inBackground: Bool = false, _ operation: @escaping Operation<Reply>
    ) async throws(RedisError) -> Reply {
        try await call(on: inBackground ? background : pickLink(), operation)
    }

    private func call<Reply: Sendable>(
        on link: any RedisLink, _ operation: @escaping Operation<Reply>
    ) async throws(RedisError) -> Reply {
        if Task.isCancelled { throw .cancelled }
        let identifier = nextIdentifier.wrappingAdd(1, ordering: .relaxed).oldValue
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation {
                (continuation: CheckedContinuation<Result<Reply, RedisError>, Never>) in
                link.eventLoop.execute {
                    operation(link, identifier) { continuation.resume(returning: $0) }
                }
            }
        } onCancel: {
            link.eventLoop.execute { link.cancel(identifier: identifier) }
        }
        return try result.get()
    }
}

extension HostAddresses {
    /// Nil when there is no name to look up.
    fileprivate convenience init?(of configuration: RedisClientConfiguration, _ connector: SentinelConnector) {
        if case .sentinels(let group) = configuration.endpoint.address {
            let directory = SentinelDirectory(group: group, configuration: configuration, connector: connector)
            self.init(host: group.primary, port: 0, resolver: directory)
            return
        }
        guard case .tcp(let host, let port) = configuration.endpoint.address,
            (try? SocketAddress(ipAddress: host, port: port)) == nil
        else { return nil }
        self.init(host: host, port: port, resolver: configuration.resolver)
    }
}
