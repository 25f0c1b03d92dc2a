import NIOCore
import NIOSSL

/// Makes connections to sentinels: the same handshake as to Redis, with the login of the sentinels.
struct SentinelConnector: Sendable {
    /// Of Redis; what concerns the sentinels alone is changed.
    private let configuration: RedisClientConfiguration
    private let tlsContext: NIOSSLContext?

    init(_ configuration: RedisClientConfiguration, tlsContext: NIOSSLContext?) {
        var configuration = configuration
        configuration.scripts = []
        configuration.probe = []
        configuration.greeting = nil
        if configuration.sentinelLogin != nil { configuration.passwordSource = nil }
        self.configuration = configuration
        self.tlsContext = tlsContext
    }

    /// `completion` is called once, on `eventLoop`.
    func connect(
        to place: HostAndPort, on eventLoop: any EventLoop,
        completion: @escaping (Result<RedisChannelHandler, RedisConnectAttempt.Failure>) -> Void
    ) {
        var configuration = configuration
        let login = configuration.sentinelLogin ?? configuration.endpoint.login
        configuration.endpoint = RedisEndpoint(
            address: .tcp(host: place.host, port: place.port), usesTLS: configuration.endpoint.usesTLS,
            username: login.username, password: login.password)
        let addresses = HostAddresses(host: place.host, port: place.port, resolver: configuration.resolver)
        let attempt = RedisConnectAttempt(
            configuration, tlsContext: tlsContext, addresses: addresses, eventLoop: eventLoop, whenEnded: completion)
        attempt.begin()
    }
}
