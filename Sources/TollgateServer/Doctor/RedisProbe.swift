import Logging
import NIOCore
import NIOSSL
import OutboundCalls
import RedisClient
import TollgateConfiguration
import TollgateCore
import TollgateStore

/// Connects to Redis servers, one after another or several at a time, for as long as each is asked.
struct RedisProbe: Sendable {
    /// Why a server could not be asked.
    struct Unreachable: Error, Sendable, Hashable {
        let reason: String
    }

    /// What an answer is waited for: longer than a worker does, so that a slow server shows how slow it is.
    private static let commandTimeout: TimeAmount = .seconds(2)

    private static let connectTimeout: TimeAmount = .seconds(3)

    /// How long the first connection may take. A reason that is known sooner ends it.
    private static let connectPatience: Duration = .seconds(4)

    /// After the first reason, for one that passes at once.
    private static let secondChance: Duration = .milliseconds(300)

    /// For all questions to one server.
    private static let maximumDuration: Duration = .seconds(12)

    /// How to reach the server that the configuration names.
    let configuration: RedisClientConfiguration

    /// The machine's clock.
    let time: any TimeSource
    let eventLoopGroup: any EventLoopGroup
    let logger: Logger

    /// - Throws: What makes a certificate or key file unusable.
    init(
        settings: RedisSettings, time: any TimeSource, eventLoopGroup: any EventLoopGroup, logger: Logger
    ) throws {
        var configuration = try settings.clientConfiguration
        configuration.commandTimeout = max(configuration.commandTimeout, Self.commandTimeout)
        configuration.connectTimeout = max(configuration.connectTimeout, Self.connectTimeout)
        configuration.clientName = "tollgate-doctor"
        // A server that is of no use for a worker is looked at all the same.
        configuration.probe = []
        if configuration.endpoint.usesTLS {
            _ = try NIOSSLContext(configuration: configuration.tls ?? .makeClientConfiguration())
        }
        self.configuration = configuration
        self.time = time
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
    }

    var endpoint: RedisEndpoint { configuration.endpoint }

    /// How one server of a group is reached, with the login and TLS of the configuration.
    ///
    /// - Parameter isSentinel: It has the sentinels' login then.
    func configuration(of node: HostAndPort, isSentinel: Bool = false) -> RedisClientConfiguration {
        var configuration = configuration
        let login = isSentinel ? configuration.sentinelLogin ?? endpoint.login : endpoint.login
        if isSentinel, configuration.sentinelLogin != nil { configuration.passwordSource = nil }
        configuration.endpoint = RedisEndpoint(
            address: .tcp(host: node.host, port: node.port), usesTLS: endpoint.usesTLS, username: login.username,
            password: login.password, database: isSentinel ? 0 : endpoint.database)
        return configuration
    }

    /// Connects, has `questions` asked, and disconnects.
    ///
    /// - Parameter hasTime: Whether the server knows TIME, as sentinels do not.
    func visit<Answers: Sendable>(
        _ configuration: RedisClientConfiguration, hasTime: Bool = true,
        _ questions: @escaping @Sendable (RedisClient, RedisClock) async -> Answers
    ) async -> Result<Answers, Unreachable> {
        var configuration = configuration
        let clock = RedisClock(systemClock: time)
        if hasTime { configuration.greeting = clock.greeting }
        guard
            let client = try? RedisClient(
                configuration: configuration, eventLoopGroup: eventLoopGroup.next(), logger: logger)
        else { return .failure(Unreachable(reason: "TLS cannot be set up")) }
        var result: Result<Answers, Unreachable>
        if let reason = await connect(client) {
            result = .failure(Unreachable(reason: reason))
        } else {
            do {
                result = .success(
                    try await withTimeLimit(Self.maximumDuration) { await questions(client, clock) })
            } catch {
                result = .failure(Unreachable(reason: "Redis does not answer in time"))
            }
        }
        await client.shutDown()
        return result
    }

    /// - Returns: Why there is no connection, or nil.
    private func connect(_ client: RedisClient) async -> String? {
        let none = client.lastFailure
        client.start()
        var deadline = ContinuousClock.now + Self.connectPatience
        var isFailing = false
        while !client.isReady, ContinuousClock.now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(5))
            if !isFailing, let reason = client.lastFailure, reason != none {
                isFailing = true
                deadline = min(deadline, ContinuousClock.now + Self.secondChance)
            }
        }
        return client.isReady ? nil : client.lastFailure ?? "no connection in time"
    }

    /// Whether a Redis answers there with TLS where the configuration has none, or the other way round. It is told no
    /// password, and nothing that it tells is believed.
    func answersOtherwise() async -> Bool {
        let usesTLS = !endpoint.usesTLS
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.certificateVerification = .none
        let settings = RedisClientConfiguration(
            endpoint: RedisEndpoint(address: endpoint.address, usesTLS: usesTLS), tls: tls,
            commandTimeout: Self.commandTimeout, connectTimeout: Self.connectTimeout,
            clientName: configuration.clientName)
        switch await visit(settings, hasTime: false, { _, _ in }) {
        case .success: return true
        case .failure(let error): return ConnectionDiagnosis(reason: error.reason).isOfRedis
        }
    }
}
