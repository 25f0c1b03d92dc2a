import ConnectionFailures
import NIOCore
import NIOPosix
import NIOSSL
import NameResolution

/// One attempt at a connection to an upstream, from the lookup of its name to the end of the TLS handshake.
///
/// It may take several channels, one for each address of the name: every channel has an ``UpstreamConnection`` of its
/// own, and the one whose channel connects first is adopted. The deadline is the attempt's, whatever its channels do.
///
/// Confined to its event loop.
final class ConnectAttempt {
    private let upstream: Upstream
    private let tls: NIOSSLContext?
    private let reservedDescriptors: Int?
    private let timeout: TimeAmount
    private let eventLoop: any EventLoop
    private var connection: UpstreamConnection?
    private var timer: Scheduled<Void>?
    private var whenEnded: ((Result<UpstreamConnection, ProxyError>) -> Void)?

    /// - Parameter whenEnded: Called once.
    init(
        _ upstream: Upstream, tls: NIOSSLContext?, reservedDescriptors: Int?, timeout: TimeAmount,
        eventLoop: any EventLoop,
        whenEnded: @escaping (Result<UpstreamConnection, ProxyError>) -> Void
    ) {
        self.upstream = upstream
        self.tls = tls
        self.reservedDescriptors = reservedDescriptors
        self.timeout = timeout
        self.eventLoop = eventLoop
        self.whenEnded = whenEnded
        timer = eventLoop.assumeIsolated().scheduleTask(in: timeout) { self.end(.failure(.gatewayTimeout(.connect))) }
    }

    var isOver: Bool { whenEnded == nil }

    /// - Parameter makeConnection: Makes the handler of each channel.
    func connect(to addresses: [SocketAddress], makeConnection: @escaping () -> UpstreamConnection) {
        guard !isOver else { return }
        guard !addresses.isEmpty else { return end(.failure(.badGateway(.connectFailed("the name has no address")))) }
        let bound = NIOLoopBound((attempt: self, makeConnection: makeConnection), eventLoop: eventLoop)
        ClientBootstrap(group: eventLoop)
            .connectTimeout(timeout)
            .resolver(KnownAddresses(addresses, eventLoop: eventLoop))
            .channelOption(.autoRead, value: false)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let reserved = bound.value.attempt.reservedDescriptors {
                        try DescriptorReserve.check(channel, from: reserved)
                    }
                    let pipeline = channel.pipeline.syncOperations
                    if let tls = try bound.value.attempt.makeTLSHandler() { try pipeline.addHandler(tls) }
                    try pipeline.addHandler(bound.value.makeConnection())
                }
            }
            .connect(host: upstream.host, port: upstream.port)
            .assumeIsolated().whenComplete { result in
                switch result {
                case .success(let channel): self.adopt(channel)
                case .failure(let error): self.end(.failure(Self.proxyError(error)))
                }
            }
    }

    private func adopt(_ channel: any Channel) {
        do {
            let connection = try channel.pipeline.syncOperations.handler(type: UpstreamConnection.self)
            guard !isOver else { return connection.close() }
            guard !connection.isClosed else { return end(.failure(.badGateway(.closedBeforeAnswer))) }
            self.connection = connection
            guard tls != nil else { return end(.success(connection)) }
            connection.whenSecure { result in self.end(result.map { connection }) }
        } catch {
            // The channel was closed meanwhile, and its handlers with it.
            end(.failure(.badGateway(.connectFailed("the connection was closed"))))
        }
    }

    private func end(_ result: Result<UpstreamConnection, ProxyError>) {
        guard let whenEnded = whenEnded.take() else { return }
        timer?.cancel()
        timer = nil
        if case .failure = result { connection?.close() }
        connection = nil
        whenEnded(result)
    }

    private func makeTLSHandler() throws -> NIOSSLClientHandler? {
        guard let tls else { return nil }
        let name = upstream.serverName ?? upstream.host
        // Server Name Indication takes names only, never addresses (RFC 6066, section 3).
        let isAddress = (try? SocketAddress(ipAddress: name, port: 0)) != nil
        return try NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : name)
    }

    private static func proxyError(_ error: any Error) -> ProxyError {
        if DescriptorReserve.isExhausted(error) { return .unavailable(.outOfDescriptors) }
        return switch error {
        case ChannelError.connectTimeout: .gatewayTimeout(.connect)
        default: .badGateway(.connectFailed(ConnectionFailure(error).description))
        }
    }
}

@available(*, unavailable)
extension ConnectAttempt: Sendable {}
