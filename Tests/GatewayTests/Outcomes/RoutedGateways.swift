import Hiredis
import Logging
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDataPlane
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A `tollgate.yaml` for tests.
enum RouteFile {
    /// A free plan without limits that a test could reach.
    static let generousPlans = "plans:\n  free: { quota: 1000000, ratePerMinute: 1000000 }\n"

    /// - Parameter routes: Mappings in YAML's flow style.
    static func text(plans: String = generousPlans, _ routes: String...) -> String {
        plans + "routes:\n" + routes.map { "  - {\($0)}\n" }.joined()
    }

    /// A route to a port of this machine.
    static func route(_ path: String, to port: Int, _ more: String = "") -> String {
        let name = path.split(separator: "/").joined(separator: "-")
        return "name: \(name), path: \(path), upstreams: \"http://127.0.0.1:\(port)\"\(more.isEmpty ? "" : ", ")\(more)"
    }
}

/// Runs `body` on gateways with the routes of `file`, on a redis-server of their own, at 2025-11-26T23:00:00Z.
func withRoutedGateways(
    _ count: Int = 1, file: String, settings: [String: String] = [:], logger: Logger = .silent,
    _ body: @escaping @Sendable (KeyedGateways) async throws -> Void
) async throws {
    let time = ManualTime(UnixTime(seconds: 1_764_198_000))
    try await withTemporaryDirectory { directory in
        try file.write(toFile: directory + "/tollgate.yaml", atomically: true, encoding: .utf8)
        try await withRedis(in: directory) { redis in
            let identity = try DevelopmentIdentity.shared()
            let environment = Worker.environment(redisURL: redis.url, identity: identity)
                .merging(settings) { _, setting in setting }
            try await withGateways(
                count, environment: environment, directory: directory, time: time, logger: logger
            ) { ports in
                try await body(KeyedGateways(ports: ports, redis: redis, time: time, identity: identity))
            }
        }
    }
}

extension KeyedGateways {
    var port: Int { ports[0].publicPort }

    /// What Redis says that a user has used, asked without cost.
    func usedCalls(of user: String = "user_abc", on gateway: Int = 0) async throws -> Int {
        try #require(try await send("GET", "/usage", as: user, on: gateway).usedCalls)
    }

    /// The `Authorization` line of a user.
    func authorization(_ user: String = "user_abc") throws -> String {
        "Authorization: \(try bearer(user)[0].1)\r\n"
    }
}

extension Fleet {
    func bearer(_ user: String = "user_abc") throws -> [(String, String)] {
        [("Authorization", "Bearer \(try token(user))")]
    }

    func usedCalls(of user: String = "user_abc", on worker: Int = 0) async throws -> Int {
        let answer = try await HTTP.get("/usage", port: workers[worker].port, headers: try bearer(user))
        return try #require(answer.usedCalls, "\(answer.body)")
    }

    /// A key of a user, made by the first worker.
    func madeKey(of user: String = "user_abc") async throws -> KeyedGateways.MadeKey {
        let answer = try await HTTP.send(
            "POST", "/keys", port: workers[0].port, headers: try bearer(user), body: #"{"name":"CI"}"#)
        try #require(answer.status == 201, "\(answer.body)")
        return .init(id: try #require(answer.member("id")), text: try #require(answer.member("key")))
    }

    /// Writes the workers' file of routes anew.
    func write(_ file: String) throws {
        try file.write(toFile: try #require(environment["TOLLGATE_CONFIG"]), atomically: true, encoding: .utf8)
    }
}

extension RedisServerProcess {
    /// As if the time of all leases of `user` were over, of which there are `count`.
    func endLeases(of user: String = "user_abc", count: Int) async throws {
        try await withRedisClient(patientConfiguration) { redis in
            let members = try #require(try await redis.send("ZRANGE reservations:{\(user)} 0 -1").array)
                .compactMap(\.string)
            #expect(members.count == count)
            for member in members {
                let command = ["ZADD", "reservations:{\(user)}", "XX", "20200101000000", member]
                _ = try await redis.execute(RedisCommand(arguments: command))
            }
            try await redis.send("HSET usage:{\(user)} reservedUntil 2020-01-01T00:00:00Z")
        }
    }
}

extension HTTP.Answer {
    /// `count` in the `usage` of an answer.
    var usedCalls: Int? {
        guard let start = body.firstRange(of: "\"count\":")?.upperBound else { return nil }
        return Int(body[start...].prefix { $0.isNumber })
    }
}

/// Requests as text, with what each needs.
enum Wire {
    static func get(_ target: String, fields: String = "") -> String {
        "GET \(target) HTTP/1.1\r\nHost: api.example\r\n\(fields)\r\n"
    }

    static func post(_ target: String, fields: String = "", body: String = "") -> String {
        "POST \(target) HTTP/1.1\r\nHost: api.example\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    static func chunk(_ text: String) -> String { "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n" }

    static func answer(_ body: String, status: String = "200 OK", fields: String = "") -> String {
        "HTTP/1.1 \(status)\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }
}
