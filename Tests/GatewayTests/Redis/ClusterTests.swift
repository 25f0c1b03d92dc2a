import Hiredis
import NIOCore
import RedisClient
import TestSupport
import Testing
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Workers on a cluster of real servers.
@Suite(.serialized, .timeLimit(.minutes(4))) struct ClusterTests {
    private static let plans = "plans:\n  free: { quota: 20, ratePerMinute: 1000000 }\n"

    /// Workers with `url`.
    private func withWorkers(
        _ count: Int, url: String, settings: [String: String] = [:],
        _ body: ([Worker], DevelopmentIdentity) async throws -> Void
    ) async throws {
        try await GatewayTests.withWorkers(count, redisURL: url, yaml: Self.plans, settings: settings, body)
    }

    private func token(_ user: String, _ identity: DevelopmentIdentity) throws -> String {
        try identity.token(user: user, plan: "free", now: SystemClock().now())
    }

    /// Users of all three servers call both workers at once, and none has a call more than the plan says.
    @Test func limitsAreExactOnEveryServer() async throws {
        try await ClusterProcesses.run { cluster in
            try await withWorkers(2, url: cluster.url()) { workers, identity in
                for worker in workers { try await worker.becomesReady() }
                let users = (0..<12).map { "user_\($0)" }
                let admitted = try await withThrowingTaskGroup(of: (String, Int).self) { group in
                    for user in users {
                        let token = try token(user, identity)
                        for worker in workers {
                            group.addTask {
                                var admitted = 0
                                for _ in 1...15 {
                                    let answer = try await HTTP.verify(token, port: worker.port)
                                    if answer.status == 200 { admitted += 1 }
                                }
                                return (user, admitted)
                            }
                        }
                    }
                    return try await group.reduce(into: [String: Int]()) { $0[$1.0, default: 0] += $1.1 }
                }
                for user in users { #expect(admitted[user] == 20, "\(user)") }
                try await cluster.withClient { client in
                    for user in users {
                        let counted = try await client.send("HGET usage:{\(user)} usageCount").string
                        #expect(counted == "20")
                    }
                }
                for server in cluster.servers {
                    let kept = try await cluster.ask(server, "DBSIZE").integer ?? 0
                    #expect(kept > 0, "each of them serves users")
                }
                // What the workers tell of themselves lies on several servers.
                try await eventually("each worker sees the other", within: .seconds(20)) {
                    try await HTTP.get("/overview.json", port: workers[0].adminPort).body
                        .components(separatedBy: "\"isDraining\"").count == 3
                }
                let overview = try await HTTP.get("/overview.json", port: workers[0].adminPort).body
                for server in cluster.servers {
                    #expect(overview.contains("\"address\":\"127.0.0.1:\(server.port)\""))
                    #expect(overview.contains("127.0.0.1:\(server.port): Without an append-only file"))
                }
            }
        }
    }

    @Test(.redisHasTLS) func encryptedAndWithTheLeastPermissions() async throws {
        try await withTemporaryDirectory { directory in
            try await TestCertificates.make(in: directory, for: "IP:127.0.0.1,DNS:localhost")
            var ports: [Int] = []
            for _ in 1...3 { ports.append(try await Loopback.freePort()) }
            let taken = ports
            try await ClusterProcesses.run(
                tlsPorts: taken,
                extraArguments: {
                    TestCertificates.arguments(in: directory, port: taken[$0]) + ["--tls-cluster", "yes"]
                }
            ) { cluster in
                for server in cluster.servers {
                    let done = try await cluster.ask(server, RedisUsers.setting("gateway"))
                    #expect(done == .status("OK"))
                }
                let url = cluster.url(servers: 1).replacing("://", with: "://gateway:password@")
                let settings = [
                    "REDIS_CA_FILE": directory + "/ca.crt", "REDIS_CERT_FILE": directory + "/client.crt",
                    "REDIS_KEY_FILE": directory + "/client.key",
                ]
                try await withWorkers(1, url: url, settings: settings) { workers, identity in
                    try await workers[0].becomesReady()
                    for number in 0..<12 {
                        let answer = try await HTTP.verify(token("user_\(number)", identity), port: workers[0].port)
                        #expect(answer.status == 200)
                    }
                    try await eventually("the worker has told of itself") {
                        try await HTTP.get("/overview.json", port: workers[0].adminPort).body.contains("user_11")
                    }
                }
                for server in cluster.servers {
                    let refused = try await cluster.ask(server, "ACL LOG").array ?? []
                    #expect(refused.isEmpty, "\(refused)")
                }
            }
        }
    }

    /// `cluster-preferred-endpoint-type hostname`, as managed services announce their servers.
    @Test func serversMayBeCalledByTheirNames() async throws {
        try await ClusterProcesses.run(
            extraArguments: { _ in
                ["--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type", "hostname"]
            }
        ) { cluster in
            try await cluster.withClient { client in
                for number in 0..<30 { try await client.send("SET usage:{user_\(number)} 1") }
                for server in cluster.servers {
                    let clients = try await cluster.ask(server, "DBSIZE").integer ?? 0
                    #expect(clients > 0)
                }
            }
        }
    }

    /// A cluster that has lost a part of its slots for good serves the rest, and says what is wrong with the others.
    @Test(.tags(.measuresTime)) func aServerThatIsLostTakesOnlyItsUsersAlong() async throws {
        try await ClusterProcesses.run(
            extraArguments: { _ in ["--cluster-require-full-coverage", "no"] }
        ) { cluster in
            try await withWorkers(1, url: cluster.url(servers: 3)) { workers, identity in
                try await workers[0].becomesReady()
                let users = (0..<12).map { "user_\($0)" }
                for user in users {
                    let answer = try await HTTP.verify(token(user, identity), port: workers[0].port)
                    #expect(answer.status == 200)
                }
                await cluster.servers[1].kill()
                try await eventually("the loss is known", within: .seconds(20)) {
                    try await cluster.ask(cluster.servers[0], "CLUSTER INFO").string?.contains("slots_fail:5461")
                        == true
                }
                var statuses: [Int: Int] = [:]
                for user in users {
                    let (answer, duration) = try await timed {
                        try await HTTP.verify(token(user, identity), port: workers[0].port)
                    }
                    statuses[answer.status, default: 0] += 1
                    #expect(duration < .seconds(1), "\(answer.status) after \(duration)")
                }
                #expect(Set(statuses.keys) == [200, 503] && statuses[200] ?? 0 >= 4)
                let ready = try await HTTP.get("/readyz", port: workers[0].adminPort)
                #expect(ready.status == 200, "\(ready.body)")
            }
        }
    }
}
