import TestSupport
import TollgateCore
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A redis-server, an identity, and workers on them; all ended afterwards.
struct Fleet {
    let redis: RedisServerProcess
    let identity: DevelopmentIdentity
    let workers: [Worker]

    /// What the workers were started with.
    var environment: [String: String] = [:]

    /// The setting of workers that every call is to be answered by, where the test runs on a machine busy with others.
    static let patience = ["REDIS_TIMEOUT_MS": "5000"]

    func token(_ user: String, plan: String? = "free", lifetimeSeconds: Int = 3600) throws -> String {
        try identity.token(user: user, plan: plan, now: SystemClock().now(), lifetimeSeconds: lifetimeSeconds)
    }
}

func withFleet<Result>(
    isolation: isolated (any Actor)? = #isolation, workers count: Int = 1, plans: String? = nil,
    settings: [String: String] = [:], addressesOfTheirOwn: Bool = false, redisArguments: [String] = [],
    _ body: (Fleet) async throws -> Result
) async throws -> Result {
    try await withTemporaryDirectory { directory in
        try await withRedis(in: directory, extraArguments: redisArguments) { redis in
            let identity = try DevelopmentIdentity.shared()
            var environment = Worker.environment(redisURL: redis.url, identity: identity)
                .merging(settings) { _, setting in setting }
            if let plans {
                try plans.write(toFile: directory + "/tollgate.yaml", atomically: true, encoding: .utf8)
                environment["TOLLGATE_CONFIG"] = directory + "/tollgate.yaml"
            }
            let places = try await places(addressesOfTheirOwn ? count : 0)
            return try await withWorkers(count, environment: environment, places: places) { workers in
                try await body(Fleet(redis: redis, identity: identity, workers: workers, environment: environment))
            }
        }
    }
}

/// Settings for workers as on machines of their own: the same two ports, on addresses of this machine.
private func places(_ count: Int) async throws -> [[String: String]] {
    let (port, adminPort) = (try await Loopback.freePort(), try await Loopback.freePort())
    return (0..<count).map { number in
        let host = "127.0.0.\(number + 1)"
        return [
            "TOLLGATE_HOST": host, "TOLLGATE_ADMIN_HOST": host, "TOLLGATE_PORT": "\(port)",
            "TOLLGATE_ADMIN_PORT": "\(adminPort)",
        ]
    }
}

/// Runs `body` with so many workers on one Redis, and what makes tokens for them.
///
/// - Parameters:
///   - redisURL: As the workers are told it.
///   - yaml: What stands in their `tollgate.yaml`.
///   - settings: What they are told besides.
func withWorkers<Result>(
    isolation: isolated (any Actor)? = #isolation, _ count: Int, redisURL: String, yaml: String,
    settings: [String: String] = [:], _ body: ([Worker], DevelopmentIdentity) async throws -> Result
) async throws -> Result {
    let identity = try DevelopmentIdentity.shared()
    return try await withTemporaryDirectory { directory in
        let file = directory + "/tollgate.yaml"
        try yaml.write(toFile: file, atomically: true, encoding: .utf8)
        let environment = Worker.environment(redisURL: redisURL, identity: identity)
            .merging(["TOLLGATE_CONFIG": file]) { $1 }.merging(settings) { $1 }
        return try await withWorkers(count, environment: environment) { try await body($0, identity) }
    }
}

/// Runs `body` with so many workers, which are ended afterwards.
///
/// - Parameter places: What each is told beside the environment that all have.
func withWorkers<Result>(
    isolation: isolated (any Actor)? = #isolation, _ count: Int, environment: [String: String],
    places: [[String: String]] = [], _ body: ([Worker]) async throws -> Result
) async throws -> Result {
    var workers: [Worker] = []
    do {
        for number in 0..<count {
            let place = places.isEmpty ? [:] : places[number]
            workers.append(try await Worker.start(environment: environment.merging(place) { $1 }))
        }
        let result = try await body(workers)
        for worker in workers { await worker.process.terminate() }
        return result
    } catch {
        for worker in workers { await worker.process.terminate() }
        throw error
    }
}
