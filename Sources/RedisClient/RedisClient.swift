import Hiredis
import Logging
import NIOCore
import NIOSSL
import Synchronization

/// A Redis client with one connection on every event loop, shared by all requests of that loop.
///
/// Commands are pipelined: nobody waits for another's reply before sending. When Redis is away commands fail at once;
/// connections come back by themselves. A command whose reply was lost is never sent again.
package final class RedisClient: Sendable {
    private let connections: [RedisConnection]
    private let nextConnection = Atomic<Int>(0)
    private let nextIdentifier = Atomic<UInt64>(1)
    private let probe: [RedisCommand]

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
        let connector = SentinelConnector(configuration, tlsContext: tlsContext)
        let addresses = HostAddresses(of: configuration, connector)
        let log = OutageLog(
            connectionCount: eventLoops.count, endpoint: configuration.endpoint.description, logger: logger)
        probe = configuration.probe
        watches = SentinelWatches(configuration, connector, eventLoop: eventLoops[0])
        connections = eventLoops.map { eventLoop in
            RedisConnection(
                eventLoop: eventLoop, configuration: configuration, tlsContext: tlsContext, addresses: addresses,
                log: log)
        }
    }

    /// Begins to connect and returns at once; works when Redis is not there yet.
    package func start() {
        for connection in connections { connection.eventLoop.execute { connection.start() } }
        watches?.start { [connections] in
            for connection in connections { connection.eventLoop.execute { connection.lookAgain() } }
        }
    }

    /// Refuses new commands, waits for the replies of those in flight (no longer than the command timeout), closes.
    package func shutDown() async {
        watches?.stop()
        let closing = connections.map { connection in
            connection.eventLoop.flatSubmit { connection.shutDown() }
        }
        for future in closing { try? await future.get() }
    }

    /// Whether every event loop can send commands.
    package var isReady: Bool { connections.allSatisfy(\.isReady) }

    /// Connections that stand, of ``connectionCount``.
    package var readyConnectionCount: Int { connections.count(where: \.isReady) }
    package var connectionCount: Int { connections.count }

    /// Commands without a reply yet, on all connections.
    package var pendingCommandCount: Int { connections.reduce(0) { $0 + $1.pendingCommandCount } }

    /// Why a connection does not stand. Nil while all of them do.
    package var lastFailure: String? { connections.lazy.filter { !$0.isReady }.map(\.lastFailure).first }

    /// The connection of `eventLoop`, for callers that live on it. Nil when the loop is of another group.
    package func connection(on eventLoop: any EventLoop) -> RedisConnection? {
        connections.first { $0.eventLoop === eventLoop }
    }

    /// Sends one command and waits for its reply.
    package func execute(_ command: RedisCommand) async throws(RedisError) -> RedisReply {
        try await call { connection, identifier, waiter in
            connection.send(command, identifier: identifier, waiter: waiter)
        }
    }

    /// Runs a script and waits for its reply.
    package func run(_ call: RedisScript.Call) async throws(RedisError) -> RedisReply {
        try await self.call { connection, identifier, waiter in
            connection.run(call, identifier: identifier, waiter: waiter)
        }
    }

    /// PING on every connection: true when all answer.
    package func ping() async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            for connection in connections {
                group.addTask {
                    let reply = try? await self.call(on: connection) { connection, identifier, waiter in
                        connection.send(RedisCommand("PING"), identifier: identifier, waiter: waiter)
                    }
                    return reply == .status("PONG")
                }
            }
            return await group.allSatisfy(\.self)
        }
    }

    /// Why commands would fail right now: sends the probe on every connection. Nil when all of it is answered.
    package func unfitness() async -> String? {
        await withTaskGroup(of: String?.self) { group in
            for connection in connections {
                group.addTask { await self.unfitness(of: connection) }
            }
            return await group.first { $0 != nil } ?? nil
        }
    }

    private func unfitness(of connection: RedisConnection) async -> String? {
        guard connection.isReady else { return connection.lastFailure }
        let commands = probe.isEmpty ? [RedisCommand("PING")] : probe
        do throws(RedisError) {
            // All in one write; the last reply is the end of it.
            let failure = try await call(on: connection) { connection, identifier, waiter in
                var failure: RedisError?
                for (index, command) in commands.enumerated() {
                    connection.send(command, identifier: identifier) { result in
                        if case .failure(let error) = result, failure == nil, !error.isUnknownScript {
                            failure = error
                        }
                        if index == commands.count - 1 { waiter(.success(failure)) }
                    }
                }
            }
            return failure.map { "\($0)" }
        } catch {
            return "\(error)"
        }
    }

    /// What is done on a connection's event loop, such as sending a command under `identifier`, which is how it is
    /// cancelled. It calls `waiter` once.
    package typealias Operation<Reply> =
        @Sendable (
            _ connection: RedisConnection, _ identifier: UInt64,
            _ waiter: @escaping (Result<Reply, RedisError>) -> Void
        ) -> Void

    /// The next connection in turn, past those that do not stand.
    private func pickConnection() -> RedisConnection {
        let first = nextConnection.wrappingAdd(1, ordering: .relaxed).oldValue
        for offset in 0..<connections.count {
            let connection = connections[Int(UInt(bitPattern: first &+ offset) % UInt(connections.count))]
            if connection.isReady { return connection }
        }
        return connections[Int(UInt(bitPattern: first) % UInt(connections.count))]
    }

    /// Lets `operation` use the next connection in turn, and waits for what it gives.
    package func call<Reply: Sendable>(_ operation: @escaping Operation<Reply>) async throws(RedisError) -> Reply {
        try await call(on: pickConnection(), operation)
    }

    private func call<Reply: Sendable>(
        on connection: RedisConnection, _ operation: @escaping Operation<Reply>
    ) async throws(RedisError) -> Reply {
        if Task.isCancelled { throw .cancelled }
        let identifier = nextIdentifier.wrappingAdd(1, ordering: .relaxed).oldValue
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation {
                (continuation: CheckedContinuation<Result<Reply, RedisError>, Never>) in
                connection.eventLoop.execute {
                    operation(connection, identifier) { continuation.resume(returning: $0) }
                }
            }
        } onCancel: {
            connection.eventLoop.execute { connection.cancel(identifier: identifier) }
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
