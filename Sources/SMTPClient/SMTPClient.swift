import ConnectionFailures
package import NIOCore
import NIOPosix
package import NIOSSL
import NIOTLS

/// Sends mail over a connection of its own each, within a deadline.
package struct SMTPClient: Sendable {
    private static let connectTimeout: TimeAmount = .seconds(10)

    private let server: SMTPServer
    private let context: NIOSSLContext
    private let timeLimit: TimeAmount
    private let eventLoopGroup: any EventLoopGroup

    /// - Parameters:
    ///   - tls: Whom certificates are believed. They have to name the server's host.
    ///   - timeLimit: For a whole conversation, from connecting on.
    /// - Throws: What makes `tls` unusable.
    package init(
        server: SMTPServer, tls: TLSConfiguration = .makeClientConfiguration(), timeLimit: TimeAmount = .seconds(20),
        eventLoopGroup: any EventLoopGroup
    ) throws {
        self.server = server
        self.timeLimit = timeLimit
        self.eventLoopGroup = eventLoopGroup
        context = try NIOSSLContext(configuration: tls)
    }

    /// Sends a mail once.
    ///
    /// - Parameter address: One of the server's.
    package func send(_ mail: MailMessage, at address: SocketAddress) async -> SMTPOutcome {
        await converse(.deliver(from: mail.from, to: mail.to, content: mail.bytes), at: address)
    }

    /// Does all that comes before a mail, login included, and says goodbye.
    package func check(at address: SocketAddress) async -> SMTPOutcome { await converse(.check, at: address) }

    private func converse(_ errand: SMTPConversation.Errand, at address: SocketAddress) async -> SMTPOutcome {
        let eventLoop = eventLoopGroup.next()
        let outcome = eventLoop.makePromise(of: SMTPOutcome.self)
        let deadline = NIODeadline.now() + timeLimit
        do {
            _ = try await ClientBootstrap(group: eventLoop)
                .connectTimeout(min(timeLimit, Self.connectTimeout))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let handler = SMTPHandler(
                            server: server, errand: errand, context: context, deadline: deadline, outcome: outcome)
                        let pipeline = channel.pipeline.syncOperations
                        if server.security == .implicitTLS { try pipeline.addHandler(handler.makeTLSHandler()) }
                        try pipeline.addHandler(handler)
                    }
                }
                .connect(to: address).get()
            return try await outcome.futureResult.get()
        } catch {
            // It does not matter whether the handler has heard of it.
            let failed = SMTPOutcome.failed(reason: ConnectionFailure(error).description)
            outcome.succeed(failed)
            return failed
        }
    }
}

/// Does what the conversation asks for.
private final class SMTPHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: SMTPServer
    private let errand: SMTPConversation.Errand
    private let context: NIOSSLContext
    private let deadline: NIODeadline
    private let outcome: EventLoopPromise<SMTPOutcome>
    private var conversation: SMTPConversation
    private var timer: Scheduled<Void>?

    init(
        server: SMTPServer, errand: SMTPConversation.Errand, context: NIOSSLContext, deadline: NIODeadline,
        outcome: EventLoopPromise<SMTPOutcome>
    ) {
        self.server = server
        self.errand = errand
        self.context = context
        self.deadline = deadline
        self.outcome = outcome
        conversation = SMTPConversation(server: server, errand: errand, clientName: "localhost")
    }

    func makeTLSHandler() throws -> NIOSSLClientHandler {
        // Server Name Indication takes names only, never addresses (RFC 6066, section 3).
        let isAddress = (try? SocketAddress(ipAddress: server.host, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : server.host)
    }

    func channelActive(context: ChannelHandlerContext) {
        conversation = SMTPConversation(
            server: server, errand: errand, clientName: Self.name(of: context.localAddress))
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: deadline) {
            bound.value.handler.fail("it did not answer in time", context: bound.value.context)
        }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        perform(conversation.received(unwrapInboundIn(data).readableBytesView), context: context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { perform(conversation.secured(), context: context) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(ConnectionFailure(error).description, context: context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail("the connection was closed", context: context)
        timer?.cancel()
        timer = nil
        context.fireChannelInactive()
    }

    private func fail(_ reason: String, context: ChannelHandlerContext) {
        perform(conversation.failed(reason), context: context)
    }

    private func perform(_ actions: [SMTPConversation.Action], context: ChannelHandlerContext) {
        for action in actions {
            switch action {
            case .send(let bytes): context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
            case .startTLS:
                do {
                    try context.pipeline.syncOperations.addHandler(makeTLSHandler(), position: .first)
                } catch {
                    fail(ConnectionFailure(error).description, context: context)
                }
            case .settle(let result): outcome.succeed(result)
            case .close: context.close(promise: nil)
            }
        }
    }

    /// The address that we are seen with, as EHLO has it (RFC 5321, section 4.1.3).
    private static func name(of address: SocketAddress?) -> String {
        guard let address, let text = address.ipAddress else { return "[127.0.0.1]" }
        return address.protocol == .inet6 ? "[IPv6:\(text)]" : "[\(text)]"
    }
}
