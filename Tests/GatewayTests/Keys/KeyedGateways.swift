import TestSupport
import Testing
import TollgateCore
import TollgateDataPlane
import TollgateDev
import TollgateServer
import TollgateStore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Gateways on one Redis, for tests of keys.
struct KeyedGateways {
    let ports: [GatewayAddresses.Ports]
    let redis: RedisServerProcess
    let time: ManualTime
    let identity: DevelopmentIdentity

    /// A key as its owner got it.
    struct MadeKey {
        let id: String
        let text: String
    }

    func bearer(_ user: String, plan: String? = "free") throws -> [(String, String)] {
        [("Authorization", "Bearer \(try identity.token(user: user, plan: plan, now: time.now()))")]
    }

    /// A request with a session token.
    func send(
        _ method: String, _ path: String, as user: String = "user_abc", plan: String? = "free", body: String? = nil,
        on gateway: Int = 0
    ) async throws -> HTTP.Answer {
        try await HTTP.send(
            method, path, port: ports[gateway].publicPort, headers: try bearer(user, plan: plan), body: body)
    }

    func makeKey(
        _ members: String = #""name":"CI""#, of user: String = "user_abc", plan: String? = "free"
    ) async throws -> MadeKey {
        let answer = try await send("POST", "/keys", as: user, plan: plan, body: "{\(members)}")
        try #require(answer.status == 201, "\(answer.body)")
        return MadeKey(id: try #require(answer.member("id")), text: try #require(answer.member("key")))
    }

    /// A request with a key.
    func call(
        _ key: String, _ method: String = "POST", _ path: String = "/verify-auth", on gateway: Int = 0,
        body: String? = nil
    ) async throws -> HTTP.Answer {
        try await HTTP.send(
            method, path, port: ports[gateway].publicPort, headers: [("X-API-Key", key)], body: body)
    }

    func metrics(of gateway: Int = 0) async throws -> String {
        try await HTTP.get("/metrics", port: ports[gateway].adminPort).body
    }

    /// A key that has the form of one, and was never made.
    static func inventedKey(of user: String = "user_nobody") throws -> String {
        let id = try #require(KeyID("key_0123456789abcdef"))
        let owner = try #require(UserID(user))
        let secret = [UInt8](repeating: 9, count: APIKey.secretByteCount)
        return try #require(APIKey(id: id, owner: owner, mode: .live, secret: secret)).text
    }

    /// The same key with one wrong character in its secret.
    static func mistyped(_ key: String) -> String {
        let place = key.index(key.endIndex, offsetBy: -10)
        return key[..<place] + (key[place] == "0" ? "1" : "0") + key[key.index(after: place)...]
    }

    static func basic(_ pair: String) -> String { "Basic " + Data(pair.utf8).base64EncodedString() }
}

/// Runs `body` on gateways and a redis-server of their own, at 2025-11-26T23:00:00Z.
///
/// - Parameter settings: Environment variables beside the usual ones.
func withKeyedGateways(
    _ count: Int = 1, settings: [String: String] = [:], _ body: @escaping @Sendable (KeyedGateways) async throws -> Void
) async throws {
    let time = ManualTime(UnixTime(seconds: 1_764_198_000))
    try await withTemporaryDirectory { directory in
        try await withRedis(in: directory) { redis in
            let identity = try DevelopmentIdentity.shared()
            let environment = Worker.environment(redisURL: redis.url, identity: identity)
                .merging(settings) { $1 }
            try await withGateways(count, environment: environment, directory: directory, time: time) { ports in
                try await body(KeyedGateways(ports: ports, redis: redis, time: time, identity: identity))
            }
        }
    }
}
