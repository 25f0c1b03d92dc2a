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

/// A part of a cluster is away, or all of it for want of that part.
@Suite(.timeLimit(.minutes(4))) struct ClusterOutageTests {
    private static let users = (0..<12).map { "user_\($0)" }
    private static let callsOfUser = 3

    /// What every user's calls come to while one server of three is dead, and after it: those that passed are booked on
    /// the server that keeps the user.
    @Test func whatPassesIsBookedOnEveryServer() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(Wire.answer("ok"))])
        let file = RouteFile.text(RouteFile.route("/open", to: upstream.port, "onRedisDown: open"))
        try await ClusterProcesses.run(persistence: .appendOnly) { cluster in
            try await withTemporaryDirectory { directory in
                let path = directory + "/tollgate.yaml"
                try file.write(toFile: path, atomically: true, encoding: .utf8)
                let identity = try DevelopmentIdentity.shared()
                let environment = Worker.environment(redisURL: cluster.url(servers: 3), identity: identity)
                    .merging(["TOLLGATE_CONFIG": path]) { $1 }
                try await withWorkers(2, environment: environment) { workers in
                    try await Self.callThroughAnOutage(cluster, workers, identity)
                }
            }
        }
        try await upstream.close()
    }

    private static func callThroughAnOutage(
        _ cluster: ClusterProcesses, _ workers: [Worker], _ identity: DevelopmentIdentity
    ) async throws {
        func callAll() async throws -> Int {
            var passed = 0
            for user in users {
                let token = try identity.token(user: user, plan: "free", now: SystemClock().now())
                for worker in workers {
                    for _ in 1...callsOfUser {
                        let answer = try await HTTP.get(
                            "/open", port: worker.port, headers: [("Authorization", "Bearer \(token)")])
                        #expect(answer.status == 200, "\(user): \(answer.body)")
                        if answer.headers["x-tollgate-degraded"] != nil { passed += 1 }
                    }
                }
            }
            return passed
        }
        func metric(_ name: String) async throws -> Int {
            var sum = 0
            for worker in workers {
                let lines = try await HTTP.get("/metrics", port: worker.adminPort).body.split(separator: "\n")
                sum += lines.first { $0.hasPrefix(name + " ") }.flatMap { Int($0.dropFirst(name.count + 1)) } ?? 0
            }
            return sum
        }
        try await eventually("the cluster serves all", within: .seconds(30)) {
            for worker in workers {
                guard try await HTTP.get("/readyz", port: worker.adminPort).status == 200 else { return false }
            }
            return true
        }
        var passed = try await callAll()
        await cluster.servers[0].kill()
        passed += try await callAll()
        #expect(passed > 0)
        try await cluster.servers[0].restart()
        try await eventually("everything is booked", within: .seconds(60)) {
            try await metric("tollgate_outage_calls_waiting") == 0
        }
        let (booked, left) = (
            try await metric("tollgate_outage_calls_booked_total"),
            try await metric("tollgate_outage_calls_left_to_redis_total")
        )
        #expect(booked + left == passed && booked > 0, "\(booked) and \(left) of \(passed)")
        try await cluster.withClient { client in
            let made = 2 * workers.count * callsOfUser
            var missing = 0
            for user in users {
                let used = Int(try await client.send("HGET usage:{\(user)} usageCount").string ?? "0") ?? 0
                #expect(used <= made, "\(user)")
                missing += made - used
            }
            // What was on its way when the server died.
            #expect(missing <= left, "\(missing) of \(left)")
        }
    }
}
