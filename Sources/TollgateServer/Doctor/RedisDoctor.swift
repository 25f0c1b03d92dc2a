import Logging
import NIOCore
import NIOSSL
import RedisClient
import TollgateCore
import TollgateStore

/// Looks at Redis as a worker with this configuration would find it.
struct RedisDoctor: Sendable {
    /// What an answer is waited for: longer than a worker does, so that a slow server shows how slow it is.
    private static let commandTimeout: TimeAmount = .seconds(2)

    private static let connectTimeout: TimeAmount = .seconds(3)

    /// How long the first connection may take. A reason that is known sooner ends it.
    private static let connectPatience: Duration = .seconds(4)

    /// After the first reason, for one that passes at once.
    private static let secondChance: Duration = .milliseconds(300)

    let configuration: GatewayConfiguration
    let time: any TimeSource
    let eventLoopGroup: any EventLoopGroup
    let logger: Logger

    func findings() async -> [Finding] {
        let clientConfiguration: RedisClientConfiguration
        let client: RedisClient
        let clock = RedisClock(systemClock: time)
        do {
            clientConfiguration = try self.clientConfiguration(clock)
            client = try RedisClient(
                configuration: clientConfiguration, eventLoopGroup: eventLoopGroup.next(), logger: logger)
        } catch {
            return [
                .fail(
                    .redis, "encryption", "The files for TLS cannot be used: \(error).",
                    remedy: "Give PEM files in REDIS_CA_FILE, REDIS_CERT_FILE and REDIS_KEY_FILE, the key fitting the "
                        + "certificate.")
            ]
        }
        let endpoint = clientConfiguration.endpoint
        let reason = await connect(client)
        let findings =
            if let reason {
                [await trouble(reason, clientConfiguration), .skipped(.redis, "server", "unreachable")]
            } else {
                await examine(client, endpoint, clock)
            }
        await client.shutDown()
        return findings
    }

    private func clientConfiguration(_ clock: RedisClock) throws -> RedisClientConfiguration {
        var settings = try configuration.redis.clientConfiguration
        settings.commandTimeout = max(settings.commandTimeout, Self.commandTimeout)
        settings.connectTimeout = max(settings.connectTimeout, Self.connectTimeout)
        settings.clientName = "tollgate-doctor"
        // A server that is of no use for a worker is looked at all the same.
        settings.probe = []
        settings.greeting = clock.greeting
        return settings
    }

    /// - Returns: Why there is no connection, or nil.
    private func connect(_ client: RedisClient) async -> String? {
        let none = client.lastFailure
        client.start()
        var deadline = ContinuousClock.now + Self.connectPatience
        var isFailing = false
        while !client.isReady, ContinuousClock.now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(5))
            if !isFailing, client.lastFailure != none {
                isFailing = true
                deadline = min(deadline, ContinuousClock.now + Self.secondChance)
            }
        }
        return client.isReady ? nil : client.lastFailure ?? "no connection in time"
    }

    /// A server that says nothing may have been asked in the wrong way: with TLS, or without.
    private func trouble(_ reason: String, _ configuration: RedisClientConfiguration) async -> Finding {
        let trouble = ConnectionTrouble(reason: reason)
        let endpoint = configuration.endpoint
        if trouble.mayBeOfTLS, case .tcp = endpoint.address, await answersOtherwise(configuration) {
            return .fail(
                .redis, "encryption",
                "\(endpoint.description): Redis speaks TLS \(endpoint.usesTLS ? "not" : "only") at this port.",
                remedy: endpoint.usesTLS
                    ? "Begin REDIS_URL with redis://, or give the port that redis.conf has as tls-port."
                    : "Begin REDIS_URL with rediss://.")
        }
        return trouble.finding(place: endpoint.description)
    }

    /// Whether a Redis answers there with TLS where the configuration has none, or the other way round. It is told no
    /// password, and nothing that it tells is believed.
    private func answersOtherwise(_ configuration: RedisClientConfiguration) async -> Bool {
        var settings = configuration
        let usesTLS = !configuration.endpoint.usesTLS
        settings.endpoint = RedisEndpoint(address: configuration.endpoint.address, usesTLS: usesTLS)
        settings.tls = nil
        settings.greeting = nil
        if usesTLS {
            settings.tls = .makeClientConfiguration()
            settings.tls?.certificateVerification = .none
        }
        guard
            let client = try? RedisClient(
                configuration: settings, eventLoopGroup: eventLoopGroup.next(), logger: logger)
        else { return false }
        let reason = await connect(client)
        await client.shutDown()
        return reason.map { ConnectionTrouble(reason: $0).isOfRedis } ?? true
    }

    private func examine(_ client: RedisClient, _ endpoint: RedisEndpoint, _ clock: RedisClock) async -> [Finding] {
        let examination = RedisExamination(client: client, database: endpoint.database, time: time)
        let facts = await examination.facts(
            admissions: RedisAdmissionStore(
                client: client, plans: configuration.plans,
                pastDueGraceSeconds: configuration.stripe.pastDueGraceSeconds, clock: clock),
            clock: clock)
        return [connection(endpoint, facts), encryption(endpoint), login(endpoint)]
            + facts.findings(
                user: endpoint.username ?? "default", timeoutMilliseconds: configuration.redis.timeoutMilliseconds)
    }

    private func connection(_ endpoint: RedisEndpoint, _ facts: RedisFacts) -> Finding {
        switch facts.latency {
        case .success(let latency):
            .ok(.redis, "connection", "\(endpoint.description), PING \(AdmissionTrial.milliseconds(latency))")
        case .failure(let error): ConnectionTrouble(reason: "\(error)").finding(place: endpoint.description)
        }
    }

    private func encryption(_ endpoint: RedisEndpoint) -> Finding {
        if endpoint.usesTLS { return .ok(.redis, "encryption", "TLS") }
        guard let host = endpoint.publicHost else { return .ok(.redis, "encryption", "none, within a private network") }
        return .warn(
            .redis, "encryption", "Keys and counts go to \(host) as they are, and whoever is between may read them.",
            remedy: "Begin REDIS_URL with rediss://, and have Redis listen at a tls-port.")
    }

    private func login(_ endpoint: RedisEndpoint) -> Finding {
        if endpoint.password != nil {
            return .ok(.redis, "login", "as '\(endpoint.username ?? "default")'")
        }
        guard !endpoint.isOnThisMachine else { return .ok(.redis, "login", "without a password, on this machine") }
        return .warn(
            .redis, "login", "Redis asks for no password: whoever reaches it can read and change everything.",
            remedy:
                "Make a user with the ACL in the README, switch the default user off, and give the login in REDIS_URL.")
    }
}

extension RedisEndpoint {
    /// The host that is asked, when it is one that others can reach. Nil for one of this machine or of a private network,
    /// as far as its name tells.
    fileprivate var publicHost: String? {
        guard case .tcp(let host, _) = address, !isOnThisMachine else { return nil }
        if IPAddress(host) != nil { return Self.privateNetworks?.contains(host) == true ? nil : host }
        let suffixes = [".local", ".internal", ".lan", ".svc", ".cluster.local"]
        return host.contains(".") && !suffixes.contains { host.hasSuffix($0) } ? host : nil
    }

    fileprivate var isOnThisMachine: Bool {
        switch address {
        case .unixSocket: true
        case .tcp(let host, _): host == "localhost" || host == "::1" || host.hasPrefix("127.")
        default: false
        }
    }

    private static let privateNetworks = NetworkList([
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10",
    ])
}
