import HummingbirdCore
package import NIOCore
import NIOPosix
import ServiceLifecycle

/// The public port: every connection that it accepts is a ``PublicConnection`` on one of the worker's event loops. No
/// task waits for a connection: a task group would look for it among all others when it ends.
package struct PublicPort: Service {
    /// A host and a port.
    package let address: (host: String, port: Int)
    package let limits: ConnectionLimits
    package let cap: ConnectionCap

    /// Connections at once, those that are just being refused included.
    package let maximumConnections: Int
    package let drain: DrainState
    package let dataPlane: DataPlane
    package let respond: ControlPlaneResponder
    package let eventLoopGroup: any EventLoopGroup
    package let connections: OpenConnections

    /// Is told of the open port.
    package let whenOpen: @Sendable (any Channel) -> Void

    package init(
        address: (host: String, port: Int), limits: ConnectionLimits, cap: ConnectionCap, maximumConnections: Int,
        drain: DrainState, dataPlane: DataPlane, respond: @escaping ControlPlaneResponder,
        eventLoopGroup: any EventLoopGroup, whenOpen: @escaping @Sendable (any Channel) -> Void
    ) {
        self.address = address
        self.limits = limits
        self.cap = cap
        self.maximumConnections = maximumConnections
        self.drain = drain
        self.dataPlane = dataPlane
        self.respond = respond
        self.eventLoopGroup = eventLoopGroup
        self.whenOpen = whenOpen
        connections = OpenConnections(eventLoopGroup: eventLoopGroup)
    }

    /// Serves until the shutdown begins; then closes the port, and returns when all connections have ended: idle ones at
    /// once, the others after the answer that they wait for. Cancelled, it ends all at once, and cancels the work on their requests.
    package func run() async throws {
        let tasks = RequestTasks()
        let controlPlane = ControlPlaneGate(respond: respond) { tasks.start($0) }
        async let requests: Void = tasks.run()
        let listener = try await open(controlPlane)
        whenOpen(listener)
        try? await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await listener.closeFuture.get()
            } onGracefulShutdown: {
                listener.close(promise: nil)
            }
        } onCancel: {
            listener.close(promise: nil)
        }
        // Those that were accepted before have come to their event loops before this does.
        await withTaskCancellationHandler {
            await connections.quiesce()
        } onCancel: {
            connections.close()
        }
        tasks.finish()
        await requests
    }

    private func open(_ controlPlane: ControlPlaneGate) async throws -> any Channel {
        try await ServerBootstrap(group: eventLoopGroup)
            .serverChannelOption(.backlog, value: Self.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let limit = AcceptLimit(maximum: maximumConnections)
                    try channel.pipeline.syncOperations.addHandlers([
                        AcceptPause(), AvailableConnectionsChannelHandler(delegate: limit),
                    ])
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try begin(channel, controlPlane) }
            }
            .bind(host: address.host, port: address.port).get()
    }

    /// Clients that may wait to be accepted; the system allows as many at most (`net.core.somaxconn`). Of a client beyond
    /// them the first request is dropped, and comes again only after a second or more.
    private static let backlog: CInt = 4096

    /// A client has connected. On the channel's event loop.
    private func begin(_ channel: any Channel, _ controlPlane: ControlPlaneGate) throws {
        let loop = connections.on(channel.eventLoop)
        let accessLog = dataPlane.accessLog?.on(channel.eventLoop)
        loop.opened(channel)
        guard cap.admits(channel) else {
            let refusal = RefusedConnection(
                answer: dataPlane.answers.refusal(.tooManyConnections, log: accessLog))
            return try channel.pipeline.syncOperations.addHandler(refusal)
        }
        let dispatcher = ConnectionDispatcher(dataPlane: dataPlane, channel: channel, controlPlane: controlPlane)
        try channel.pipeline.syncOperations.addHandler(
            PublicConnection(
                limits: limits, drain: drain, answers: dataPlane.answers, dispatcher: dispatcher, timers: loop.timers,
                accessLog: accessLog))
    }
}
