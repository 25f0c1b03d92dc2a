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

    func token(_ user: String, plan: String? = "free", lifetimeSeconds: Int = 3600) throws -> String {
        try identity.token(user: user, plan: plan, now: SystemClock().now(), lifetimeSeconds: lifetimeSeconds)
    }
}

func withFleet<Result>(
    isolation: isolated (any Actor)? = #isolation, workers count: Int = 1, plans: String? = nil,
    settings: [String: String] = [:], _ body: (Fleet) async throws -> Result
) async throws -> Result {
    try await withTemporaryDirectory { directory in
        try await withRedis(in: directory) { redis in
            let identity = try DevelopmentIdentity.shared()
            var environment = Worker.environment(redisURL: redis.url, identity: identity)
                .merging(settings) { _, setting in setting }
            if let plans {
                try plans.write(toFile: directory + "/tollgate.yaml", atomically: true, encoding: .utf8)
                environment["TOLLGATE_CONFIG"] = directory + "/tollgate.yaml"
            }
            return try await withWorkers(count, environment: environment) { workers in
                try await body(Fleet(redis: redis, identity: identity, workers: workers, environment: environment))
            }
        }
    }
}

/// Runs `body` with so many workers, which are ended afterwards.
func withWorkers<Result>(
    isolation: isolated (any Actor)? = #isolation, _ count: Int, environment: [String: String],
    _ body: ([Worker]) async throws -> Result
) async throws -> Result {
    var workers: [Worker] = []
    do {
        for _ in 0..<count { workers.append(try await Worker.start(environment: environment)) }
        let result = try await body(workers)
        for worker in workers { await worker.process.terminate() }
        return result
    } catch {
        for worker in workers { await worker.process.terminate() }
        throw error
    }
}
