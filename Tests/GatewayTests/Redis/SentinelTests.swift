import Hiredis
import NIOCore
import RedisClient
import TestSupport
import Testing
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
import Glibc
#else
import Foundation
#endif

/// Workers follow a primary that sentinels watch, without a restart.
@Suite(.serialized, .timeLimit(.minutes(6))) struct SentinelTests {
    private static let plans = "plans:\n  free: { quota: 1000000, ratePerMinute: 1000000 }\n"

    /// Two workers with the URL that `url` gives, and a user's token.
    private func withWorkers(
        _ group: SentinelProcesses, url: String, settings: [String: String] = [:],
        _ body: ([Worker], String) async throws -> Void
    ) async throws {
        try await GatewayTests.withWorkers(2, redisURL: url, yaml: Self.plans, settings: settings) {
            workers, identity in
            let token = try identity.token(user: "user_abc", plan: "free", now: SystemClock().now())
            for worker in workers { try await serves(worker, token) }
            try await body(workers, token)
        }
    }

    private func serves(_ worker: Worker, _ token: String) async throws {
        try await eventually("calls are answered", within: .seconds(20)) {
            try await HTTP.verify(token, port: worker.port).status == 200
        }
    }

    private func count(in server: RedisServerProcess, login: String = "") async throws -> Int? {
        let configuration = RedisClientConfiguration(
            endpoint: try RedisEndpoint(url: "redis://\(login)127.0.0.1:\(server.port)"), commandTimeout: .seconds(5))
        return try await withRedisClient(configuration) { client in
            try await client.send("HGET usage:{user_abc} usageCount").string.flatMap { Int($0) }
        }
    }

    @Test(.tags(.measuresTime)) func aPrimaryThatDiesIsFollowedWithinASecondOfThePromotion() async throws {
        try await SentinelProcesses.run { group in
            try await withWorkers(group, url: group.url()) { workers, token in
                let before = try await count(in: group.primary)
                #expect(before == 2, "the primary counts, and not the replica alone")
                await group.primary.kill()
                try await group.announcement()
                let announcement = ContinuousClock.now
                for worker in workers { try await serves(worker, token) }
                let late = ContinuousClock.now - announcement
                #expect(late < .seconds(1), "\(late) after the sentinels knew of the promotion")

                // What has been primary comes back as one for a moment, and is not written to.
                try await group.primary.restart()
                for _ in 1...20 {
                    for worker in workers {
                        let answer = try await HTTP.verify(token, port: worker.port)
                        #expect(answer.status == 200)
                    }
                }
                let counted = try await count(in: group.replica)
                #expect((counted ?? 0) >= 40)
                for worker in workers {
                    let ready = try await HTTP.get("/readyz", port: worker.adminPort)
                    #expect(ready.status == 200)
                }
            }
        }
    }

    /// An attempt at the old primary, which answers nothing, is not waited for.
    @Test func thePrimaryThatHungIsLeftAtTheWordOfASwitch() async throws {
        try await SentinelProcesses.run { group in
            let configuration = RedisClientConfiguration(
                endpoint: try RedisEndpoint(url: group.url()), connectTimeout: .seconds(60))
            try await withRedisClient(configuration) { client in
                group.primary.suspend()
                try await eventually("the connections are given up") {
                    _ = try? await client.send("PING")
                    return client.readyConnectionCount == 0
                }
                try await group.announcement()
                try await eventually("the new primary serves") { client.isReady }
                let stored = try await client.send("SET key value")
                #expect(stored == .status("OK"))
            }
        }
    }

    @Test func aSwitchByHandLosesNoCount() async throws {
        try await SentinelProcesses.run { group in
            try await withWorkers(group, url: group.url()) { workers, token in
                for _ in 1...20 { _ = try await HTTP.verify(token, port: workers[0].port) }
                let sentinel = RedisClientConfiguration(
                    endpoint: try RedisEndpoint(url: "redis://127.0.0.1:\(group.sentinels[0].port)"),
                    commandTimeout: .seconds(5))
                _ = try await withRedisClient(sentinel) { client in
                    try await client.send("SENTINEL FAILOVER \(SentinelProcesses.primaryName)")
                }
                try await group.isSwitched(at: group.sentinels)
                try await eventually("calls are counted at the new primary, and what was counted before went along") {
                    try await serves(workers[0], token)
                    return try await count(in: group.replica) ?? 0 >= 23
                }
            }
        }
    }

    @Test func oneSentinelThatIsLeftIsEnough() async throws {
        try await SentinelProcesses.run { group in
            for sentinel in group.sentinels.dropFirst() { sentinel.process.suspend() }
            try await withWorkers(group, url: group.url()) { workers, token in
                try await serves(workers[0], token)
            }
        }
    }

    /// One that was out of reach during the failover still tells the old primary.
    @Test func aSentinelThatHasMissedAFailoverMisleadsNobody() async throws {
        try await SentinelProcesses.run { group in
            group.sentinels[0].process.suspend()
            await group.primary.kill()
            try await group.isSwitched(at: group.sentinels.dropFirst())
            try await group.primary.restart()
            group.sentinels[0].process.signal(SIGCONT)
            try await withWorkers(group, url: group.url()) { workers, token in
                for worker in workers { try await serves(worker, token) }
                let counted = try await count(in: group.replica)
                #expect((counted ?? 0) >= 2)
            }
        }
    }

    @Test func sentinelsMayHaveALoginOfTheirOwn() async throws {
        try await SentinelProcesses.run(password: "data", sentinelPassword: "watch") { group in
            let settings = ["REDIS_SENTINEL_PASSWORD": "watch"]
            try await withWorkers(group, url: group.url(login: ":data@"), settings: settings) { _, _ in
                let counted = try await count(in: group.primary, login: ":data@")
                #expect(counted == 2)
            }
        }
    }

    /// Workers, replicas and sentinels may do that much, and a failover comes about.
    @Test func theDeployedUsersAreEnough() async throws {
        try await SentinelProcesses.run(hasDeployedUsers: true) { group in
            let login = "gateway:\(RedisUsers.password)@"
            try await withWorkers(group, url: group.url(login: login)) { workers, token in
                await group.primary.kill()
                try await group.announcement()
                for worker in workers { try await serves(worker, token) }
                for place in [group.replica.port] + group.sentinels.map(\.port) {
                    let log = try await RawClient.ask(place, "ACL LOG\r\n") {
                        $0.hasPrefix("*0\r\n") || $0.hasPrefix("-")
                    }
                    #expect(log.hasPrefix("*0"), "\(log)")
                }
            }
        }
    }

    /// Sentinels that tell names, which the certificates are for: no certificate here names an address.
    @Test(.redisHasTLS) func encryptedAndByName() async throws {
        try await withTemporaryDirectory { directory in
            try await TestCertificates.make(in: directory)
            try await SentinelProcesses.run(certificates: directory) { group in
                let settings = [
                    "REDIS_CA_FILE": directory + "/ca.crt", "REDIS_CERT_FILE": directory + "/client.crt",
                    "REDIS_KEY_FILE": directory + "/client.key",
                ]
                let url = group.url().replacing("127.0.0.1", with: "localhost")
                try await withWorkers(group, url: url, settings: settings) { workers, token in
                    let before = try await count(in: group.primary)
                    #expect(before == 2)
                    await group.primary.kill()
                    for worker in workers { try await serves(worker, token) }
                }
            }
        }
    }

    @Test func whatIsWrongIsSaid() async throws {
        try await SentinelProcesses.run { group in
            let identity = try DevelopmentIdentity.shared()
            let url = group.url().replacing(SentinelProcesses.primaryName, with: "another")
            let environment = Worker.environment(redisURL: url, identity: identity)
            try await GatewayTests.withWorkers(1, environment: environment) { workers in
                try await eventually("the first attempt has told why") {
                    let ready = try await HTTP.get("/readyz", port: workers[0].adminPort)
                    return ready.status == 503 && ready.body.contains("'another'")
                        && ready.body.contains("No such master")
                }
            }
        }
    }
}
