import ConnectionFailures
import Logging
import NIOCore
import RedisClient
import TollgateConfiguration
import TollgateCore
import TollgateStore

/// Looks at Redis as a worker with this configuration would find it.
struct RedisDoctor: Sendable {
    let configuration: GatewayConfiguration
    let time: any TimeSource
    let eventLoopGroup: any EventLoopGroup
    let logger: Logger

    func findings() async -> [Finding] {
        let probe: RedisProbe
        switch makeProbe() {
        case .success(let made): probe = made
        case .failure(let wrong): return [wrong.finding]
        }
        async let topology = TopologyDoctor(
            probe: probe, timeoutMilliseconds: configuration.redis.timeoutMilliseconds
        ).findings()
        return await server(probe) + topology
    }

    /// Whether a connection comes about, and nothing else.
    func connection() async -> [Finding] {
        let probe: RedisProbe
        switch makeProbe() {
        case .success(let made): probe = made
        case .failure(let wrong): return [wrong.finding]
        }
        switch await probe.visit(probe.configuration, { _, _ in }) {
        case .success: return [.connected(probe.endpoint, latency: nil)]
        case .failure(let error): return [await diagnosis(error.reason, probe)]
        }
    }

    private struct WrongFiles: Error {
        let finding: Finding
    }

    private func makeProbe() -> Result<RedisProbe, WrongFiles> {
        do {
            return .success(
                try RedisProbe(
                    settings: configuration.redis, time: time, eventLoopGroup: eventLoopGroup, logger: logger))
        } catch {
            return .failure(
                WrongFiles(
                    finding: .fail(
                        .redis, "encryption", "The files for TLS cannot be used: \(ConnectionFailure(error)).",
                        remedy: "Give PEM files in REDIS_CA_FILE, REDIS_CERT_FILE and REDIS_KEY_FILE, the key fitting "
                            + "the certificate.")))
        }
    }

    /// What serves the workers' calls: one server, the primary of sentinels, or all of a cluster.
    private func server(_ probe: RedisProbe) async -> [Finding] {
        let endpoint = probe.endpoint
        let result = await probe.visit(probe.configuration) { client, clock in
            let examination = RedisExamination(client: client, database: endpoint.database, time: time)
            let store = RedisAdmissionStore(
                client: client, plans: configuration.plans,
                pastDueGraceSeconds: configuration.stripe.pastDueGraceSeconds, clock: clock)
            // Of a cluster's servers each is asked for itself.
            if case .cluster = endpoint.address { return await clusterFindings(endpoint, examination, store, clock) }
            return serverFindings(endpoint, await examination.facts(admissions: store, clock: clock))
        }
        switch result {
        case .success(let findings):
            let judge = LoginJudge(
                endpoint: endpoint, hasPassword: endpoint.password != nil || configuration.redis.passwordFile != nil)
            return findings.prefix(1) + [judge.encryption, judge.login] + findings.dropFirst()
        case .failure(let error):
            return [await diagnosis(error.reason, probe), .skipped(.redis, "server", "unreachable")]
        }
    }

    /// The connection first.
    private func serverFindings(_ endpoint: RedisEndpoint, _ facts: RedisFacts) -> [Finding] {
        let connection =
            switch facts.latency {
            case .success(let latency): Finding.connected(endpoint, latency: latency)
            case .failure(let error): ConnectionDiagnosis(reason: "\(error)").finding(place: endpoint.description)
            }
        return [connection]
            + facts.findings(
                user: endpoint.username ?? "default", timeoutMilliseconds: configuration.redis.timeoutMilliseconds,
                scopes: Set(configuration.routes.routes.flatMap(\.requiredScopes)))
    }

    /// The connection first.
    private func clusterFindings(
        _ endpoint: RedisEndpoint, _ examination: RedisExamination, _ store: RedisAdmissionStore, _ clock: RedisClock
    ) async -> [Finding] {
        let trial = await examination.admissions(store, clock: clock)
        return [.connected(endpoint, latency: nil)]
            + trial.findings(timeoutMilliseconds: configuration.redis.timeoutMilliseconds)
    }

    /// A server that says nothing may have been asked in the wrong way: with TLS, or without.
    private func diagnosis(_ reason: String, _ probe: RedisProbe) async -> Finding {
        let (diagnosis, endpoint) = (ConnectionDiagnosis(reason: reason), probe.endpoint)
        if diagnosis.mayBeOfTLS, case .tcp = endpoint.address, await probe.answersOtherwise() {
            return .fail(
                .redis, "encryption",
                "\(endpoint.description): Redis speaks TLS \(endpoint.usesTLS ? "not" : "only") at this port.",
                remedy: endpoint.usesTLS
                    ? "Begin REDIS_URL with redis://, or give the port that redis.conf has as tls-port."
                    : "Begin REDIS_URL with rediss://.")
        }
        return diagnosis.finding(place: endpoint.description)
    }
}

extension Finding {
    fileprivate static func connected(_ endpoint: RedisEndpoint, latency: Duration?) -> Finding {
        let ping = latency.map { ", PING \(AdmissionTrial.milliseconds($0))" } ?? ""
        return .ok(.redis, "connection", endpoint.description + ping)
    }
}

/// Judges how the configuration logs in, and whether others may read along.
struct LoginJudge: Sendable {
    let endpoint: RedisEndpoint

    /// In the URL or in a file.
    let hasPassword: Bool

    var encryption: Finding {
        if endpoint.usesTLS { return .ok(.redis, "encryption", "TLS") }
        guard let host = endpoint.publicHost else { return .ok(.redis, "encryption", "none, within a private network") }
        return .warn(
            .redis, "encryption", "Keys and counts go to \(host) as they are, and can be read on the way.",
            remedy:
                "Begin REDIS_URL with rediss://, rediss-sentinel:// or rediss-cluster://, and have Redis listen at a "
                + "tls-port.")
    }

    var login: Finding {
        if hasPassword {
            return .ok(.redis, "login", "as '\(endpoint.username ?? "default")'")
        }
        guard !endpoint.isOnThisMachine else { return .ok(.redis, "login", "without a password, on this machine") }
        return .warn(
            .redis, "login", "Redis asks for no password: every client that reaches it can read and change everything.",
            remedy:
                "Use the users of deploy/redis/users.acl, and give the login in REDIS_URL.")
    }
}
