package import NIOCore
import NIOPosix
import Synchronization

/// Stands between clients and a server. It can lose what the server answers: it has heard and done what it was told, and
/// the client never learns of it. It can be a long way. And it can know fewer commands than the server, as the proxies of
/// some services do.
package final class LossyRelay: Sendable {
    private let server: TestServer
    private let state: State

    final class State: Sendable {
        let serverPort = Atomic<Int>(0)
        let losesAnswers = Atomic<Bool>(false)
        let isCut = Atomic<Bool>(false)
        let connectionCount = Atomic<Int>(0)
        let delay: TimeAmount
        let unknownCommands: [String]

        /// What is waited for in what clients say.
        let fatalText = Mutex<String?>(nil)

        init(delay: TimeAmount, unknownCommands: [String]) {
            (self.delay, self.unknownCommands) = (delay, unknownCommands)
        }
    }

    /// - Parameters:
    ///   - delay: How long what is said takes, each way.
    ///   - unknownCommands: Names of Redis' commands, in capitals, that clients are told are no commands.
    package init(delay: TimeAmount = .zero, unknownCommands: [String] = []) async throws {
        let state = State(delay: delay, unknownCommands: unknownCommands)
        self.state = state
        server = try await TestServer { try $0.addHandler(ClientSide(state: state)) }
    }

    /// Where the server of clients that come from now on listens, on 127.0.0.1.
    package func lead(to port: Int) { state.serverPort.store(port, ordering: .releasing) }

    /// Loses every answer from now on. A connection that has lost one gives none any more.
    package func loseAnswers() { state.losesAnswers.store(true, ordering: .releasing) }

    /// Clients that are connected.
    package var connectionCount: Int { state.connectionCount.load(ordering: .acquiring) }

    package func passAnswers() { state.losesAnswers.store(false, ordering: .releasing) }

    /// Loses the answer to the next that a client says with `text` in it, and all later answers on that connection.
    package func loseAnswer(to text: String) { state.fatalText.withLock { $0 = text } }

    /// Whether the answer that ``loseAnswer(to:)`` is about is lost, or will be when it is given.
    package var hasHeardText: Bool { state.fatalText.withLock { $0 == nil } }

    /// Lets nothing through from now on, either way, and closes nothing: as a network does that has come apart. A
    /// connection on which something was lost stays so.
    package func cut() { state.isCut.store(true, ordering: .releasing) }

    /// Ends what ``cut()`` began, for connections that are made from now on.
    package func mend() { state.isCut.store(false, ordering: .releasing) }

    package var port: Int { server.port }

    package func close() async throws { try await server.close() }
}

/// What both sides of one connection share, which live on one event loop.
private final class RelayedConnection {
    var losesAnswers = false
    var losesAll = false
}

private final class ClientSide: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let state: LossyRelay.State
    private var server: (any Channel)?
    private var early = ByteBuffer()
    private var isClosed = false
    private let connection = RelayedConnection()

    /// The end of what the client has said.
    private var said = ""

    init(state: LossyRelay.State) { self.state = state }

    func channelActive(context: ChannelHandlerContext) {
        state.connectionCount.add(1, ordering: .relaxed)
        let (client, state) = (context.channel, state)
        let connection = NIOLoopBound(connection, eventLoop: context.eventLoop)
        ClientBootstrap(group: context.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ServerSide(client: client, state: state, connection: connection.value))
                }
            }
            .connect(host: "127.0.0.1", port: state.serverPort.load(ordering: .acquiring))
            .assumeIsolated().whenComplete { result in
                switch result {
                case .success(let server): self.connected(server)
                case .failure: client.close(promise: nil)
                }
            }
    }

    private func connected(_ server: any Channel) {
        guard !isClosed else { return server.close(promise: nil) }
        self.server = server
        server.passOn(early, after: state.delay)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if state.isCut.load(ordering: .acquiring) { connection.losesAll = true }
        guard !connection.losesAll else { return }
        let incoming = unwrapInboundIn(data)
        listen(to: String(buffer: incoming))
        var bytes = misspelt(incoming)
        guard let server else {
            early.writeBuffer(&bytes)
            return
        }
        server.passOn(bytes, after: state.delay)
    }

    /// Lets the server itself say that it does not know a command, in the place where the client waits for it.
    private func misspelt(_ bytes: ByteBuffer) -> ByteBuffer {
        guard !state.unknownCommands.isEmpty else { return bytes }
        var text = String(buffer: bytes)
        for name in state.unknownCommands {
            let begin = "\r\n$\(name.utf8.count)\r\n"
            text = text.replacing("\(begin)\(name)\r\n", with: "\(begin)X\(name.dropFirst())\r\n")
        }
        return ByteBuffer(string: text)
    }

    private func listen(to text: String) {
        state.fatalText.withLock { fatal in
            guard let awaited = fatal else { return }
            said += text
            if said.contains(awaited) { (connection.losesAnswers, fatal) = (true, nil) }
            said = String(said.suffix(awaited.count))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        state.connectionCount.subtract(1, ordering: .relaxed)
        isClosed = true
        server?.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

private final class ServerSide: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let client: any Channel
    private let state: LossyRelay.State
    private let connection: RelayedConnection

    init(client: any Channel, state: LossyRelay.State, connection: RelayedConnection) {
        (self.client, self.state, self.connection) = (client, state, connection)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What came behind a gap would be taken for the answer to something else.
        if state.losesAnswers.load(ordering: .acquiring) { connection.losesAnswers = true }
        if state.isCut.load(ordering: .acquiring) { connection.losesAll = true }
        if !connection.losesAnswers, !connection.losesAll { client.passOn(unwrapInboundIn(data), after: state.delay) }
    }

    func channelInactive(context: ChannelHandlerContext) { client.close(promise: nil) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

extension Channel {
    fileprivate func passOn(_ bytes: ByteBuffer, after delay: TimeAmount) {
        guard delay > .zero else { return writeAndFlush(bytes, promise: nil) }
        eventLoop.scheduleTask(in: delay) { self.writeAndFlush(bytes, promise: nil) }
    }
}
