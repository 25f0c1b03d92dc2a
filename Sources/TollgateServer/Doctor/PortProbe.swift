import ConnectionFailures
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import TollgateCore

/// Connects to a port, with TLS where that is asked for, and disconnects.
struct PortProbe: Sendable {
    /// The server that answered.
    struct Peer: Sendable, Hashable {
        /// When its certificate ends. Nil without TLS.
        let certificateEnds: UnixTime?
    }

    /// Why no server did, for people.
    struct Failure: Error, Sendable, Hashable {
        let reason: String
    }

    /// For the name, the connection and the handshake, each.
    private static let timeout: TimeAmount = .seconds(4)

    let eventLoopGroup: any EventLoopGroup

    /// - Parameters:
    ///   - host: A name or an address; an IPv6 address may stand in brackets.
    ///   - tls: Nil for a connection without.
    func connect(to host: String, port: Int, tls: TLSConfiguration?) async -> Result<Peer, Failure> {
        let name = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        let eventLoop = eventLoopGroup.next()
        let handshake = eventLoop.makePromise(of: UnixTime?.self)
        do {
            let context = try tls.map { try NIOSSLContext(configuration: $0) }
            // Server Name Indication takes names only.
            let serverName = (try? SocketAddress(ipAddress: name, port: 0)) == nil ? name : nil
            let channel = try await ClientBootstrap(group: eventLoop).connectTimeout(Self.timeout)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        guard let context else { return }
                        let pipeline = channel.pipeline.syncOperations
                        try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: serverName))
                        try pipeline.addHandler(HandshakeListener(handshake))
                    }
                }.connect(host: name, port: port).get()
            if context == nil { handshake.succeed(nil) }
            let overdue = eventLoop.scheduleTask(in: Self.timeout) {
                handshake.fail(Failure(reason: "the TLS handshake did not end in time"))
            }
            let ends = try await handshake.futureResult.get()
            overdue.cancel()
            channel.close(promise: nil)
            return .success(Peer(certificateEnds: ends))
        } catch {
            handshake.fail(error)
            return .failure(Failure(reason: Self.reason(error)))
        }
    }

    private static func reason(_ error: any Error) -> String {
        (error as? Failure)?.reason ?? ConnectionFailure(error).description
    }
}

/// Hears how a TLS handshake ends.
private final class HandshakeListener: ChannelInboundHandler {
    typealias InboundIn = Never

    /// When the certificate of the other side ends.
    private let promise: EventLoopPromise<UnixTime?>

    init(_ promise: EventLoopPromise<UnixTime?>) { self.promise = promise }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted? = event as? TLSUserEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        let certificate = try? context.pipeline.syncOperations.nioSSL_peerCertificate()
        promise.succeed(certificate.flatMap { UnixTime(checkedSeconds: Int64($0.notValidAfter)) })
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(PortProbe.Failure(reason: "the connection was closed"))
        context.fireChannelInactive()
    }
}
