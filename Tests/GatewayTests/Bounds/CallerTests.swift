import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

/// What an authenticated user without calls left can make grow in Redis.
@Suite struct CallerTests {
    private static let yaml = """
        plans:
          free: { quota: 5, ratePerMinute: 100000 }
        routes:
          - { name: orders, path: /orders, ratePerMinute: 100000 }
        """

    private static func names(_ redis: RedisClient) async throws -> Set<String> {
        Set(try await redis.send("KEYS *").array?.compactMap(\.string).filter { !$0.hasPrefix("worker") } ?? [])
    }

    /// One of each kind of request that costs no call, or is refused for the quota.
    private static func freeRequests(_ gateway: LocalGateway, _ token: String, round: Int) async throws {
        let headers = [("Authorization", "Bearer \(token)"), ("Idempotency-Key", "call-\(round)")]
        let question = [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/orders/\(round)")]
        for (method, path, more, status) in [
            ("POST", "/verify-auth", [], 403), ("GET", "/authorize", question, 403),
            ("POST", "/generate-credentials", [], 403), ("POST", "/generate-credentials/rotate", [], 404),
            ("POST", "/generate-credentials/revoke", [], 404), ("GET", "/usage", [], 200),
            ("DELETE", "/keys/key_\(1_000_000_000_000_000 + round)", [], 404),
        ] as [(String, String, [(String, String)], Int)] {
            let answer = try await HTTP.send(method, path, port: gateway.port, headers: headers + more)
            #expect(answer.status == status, "\(method) \(path): \(answer.body)")
        }
    }

    @Test func aThousandRoundsOfAUserOutOfCallsLeaveOneRecordOfEachKind() async throws {
        try await withLocalGateway(settings: Fleet.patience, yaml: Self.yaml) { gateway in
            let token = try gateway.token("user_abc")
            for _ in 1...5 { _ = try await HTTP.verify(token, port: gateway.port) }
            try await withRedisClient(gateway.redis.patientConfiguration) { redis in
                try await Self.freeRequests(gateway, token, round: 0)
                for start in stride(from: 1, to: 1000, by: 8) {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for round in start..<min(start + 8, 1000) {
                            group.addTask { try await Self.freeRequests(gateway, token, round: round) }
                        }
                        try await group.waitForAll()
                    }
                }
                let names = try await Self.names(redis)
                let minute = gateway.time.now().seconds / 60
                let user = "{user_abc}"
                // Who called most is told every few seconds.
                #expect(
                    names.subtracting(["topusers:{2025-11-26}", "users"])
                        == ["usage:\(user)", "usage:\(user):2025-11-2", "ratelimit:\(user):\(minute)"])
                let usage = try await redis.send("MEMORY USAGE usage:\(user) SAMPLES 0").integer ?? .max
                #expect(usage < 400, "\(usage) bytes")
            }
        }
    }
}
