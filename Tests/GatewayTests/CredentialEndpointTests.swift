import Hiredis
import RedisClient
import TestSupport
import Testing

/// `POST /generate-credentials` and `GET /get-credentials`.
@Suite struct CredentialEndpointTests {
    @Test func credentialsAreMadeOnceAndFoundAgain() async throws {
        try await withLocalGateway { gateway in
            let authorization = [("Authorization", "Bearer \(try gateway.token("user_abc"))")]
            let missing = try await HTTP.get("/get-credentials", port: gateway.port, headers: authorization)
            #expect(missing.status == 404)
            #expect(missing.member("error") == "Credentials not generated yet")
            #expect(missing.headers["x-ratelimit-remaining"] == "5", "a refused call costs nothing")

            let made = try await HTTP.send(
                "POST", "/generate-credentials", port: gateway.port, headers: authorization)
            #expect(made.status == 200)
            let platformID = try #require(made.member("platformId"))
            let key = try #require(made.member("apiKey"))
            #expect(platformID.wholeMatch(of: /plt_[0-9a-f]{32}/) != nil)
            #expect(key.wholeMatch(of: /pk_live_[0-9a-f]{64}/) != nil)
            #expect(made.body.contains(#""usage":{"count":1,"#))

            for (method, path) in [("POST", "/generate-credentials"), ("GET", "/get-credentials")] {
                let again = try await HTTP.send(method, path, port: gateway.port, headers: authorization)
                #expect(again.member("platformId") == platformID)
                #expect(again.member("apiKey") == key)
            }
            try await withRedisClient(gateway.redis.configuration) { redis in
                let owner = try await redis.send("GET platform:{\(platformID)}:userId").string
                #expect(owner == "user_abc")
                let stored = try await redis.send("GET user:{user_abc}:apiKey").string
                #expect(stored == key)
            }
        }
    }

    @Test func concurrentCallersOnSeveralWorkersGetOnePair() async throws {
        let plans = "plans:\n  free: { quota: 1000, ratePerMinute: 1000 }\n"
        try await withFleet(workers: 3, plans: plans) { fleet in
            let authorization = [("Authorization", "Bearer \(try fleet.token("user_abc"))")]
            let keys = try await withThrowingTaskGroup(of: String?.self) { group in
                for caller in 0..<60 {
                    let port = fleet.workers[caller % 3].port
                    group.addTask {
                        try await HTTP.send("POST", "/generate-credentials", port: port, headers: authorization)
                            .member("apiKey")
                    }
                }
                return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
            }
            #expect(keys.count == 1 && keys.first != .some(nil))
        }
    }

    @Test func callersWithoutATokenOrWithoutCallsAreRefused() async throws {
        try await withLocalGateway { gateway in
            let anonymous = try await HTTP.get("/get-credentials", port: gateway.port)
            #expect(anonymous.status == 401)
            for _ in 1...5 { _ = try await gateway.verify("user_abc") }
            let exhausted = try await HTTP.send(
                "POST", "/generate-credentials", port: gateway.port,
                headers: [("Authorization", "Bearer \(try gateway.token("user_abc"))")])
            #expect(exhausted.status == 403)
        }
    }
}
