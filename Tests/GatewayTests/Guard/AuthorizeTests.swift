import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore

/// `/authorize`: what a proxy is told of a request.
@Suite struct AuthorizeTests {
    private static let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]

    @Test func admittedCallersAreNamed() async throws {
        try await withLocalGateway { gateway in
            let authorization = [("Authorization", "Bearer \(try gateway.token("user_abc", plan: "paid"))")]
            // The first goes to the control plane, which verifies the token; the others to the data plane.
            for (count, path) in ["/authorize", "/authorize", "/authorize/orders?q=1", "/authorize?x=1"].enumerated() {
                let answer = try await HTTP.get(path, port: gateway.port, headers: authorization)
                #expect(answer.status == 200)
                #expect(answer.body.isEmpty)
                #expect(answer.headers["x-tollgate-user"] == "user_abc")
                #expect(answer.headers["x-tollgate-plan"] == "paid")
                #expect(answer.headers["x-ratelimit-remaining"] == "\(99 - count)")
                #expect(answer.headers["access-control-allow-origin"] == nil)
                #expect(answer.headers["x-request-id"] != nil)
            }
            for method in Self.methods {
                let answer = try await HTTP.send(
                    method, "/authorize/x", port: gateway.port, headers: authorization, body: "a body")
                #expect(answer.status == 200, "\(method)")
            }
        }
    }

    @Test func refusalsAreThoseOfEveryOtherEndpoint() async throws {
        try await withLocalGateway { gateway in
            let anonymous = try await HTTP.get("/authorize", port: gateway.port)
            #expect(anonymous.status == 401)
            #expect(anonymous.member("code") == "session-token-missing")
            #expect(anonymous.headers["access-control-allow-origin"] == nil)
            let authorization = [("Authorization", "Bearer \(try gateway.token("user_abc"))")]
            for _ in 1...5 { _ = try await HTTP.get("/authorize", port: gateway.port, headers: authorization) }
            let exhausted = try await HTTP.get("/authorize", port: gateway.port, headers: authorization)
            #expect(exhausted.status == 403)
            #expect(exhausted.member("code") == "quota-exceeded")
            #expect(exhausted.headers["x-tollgate-user"] == nil)
            let elsewhere = try await HTTP.get("/authorized", port: gateway.port, headers: authorization)
            #expect(elsewhere.status == 404)
        }
    }

    @Test func oneCommandARequest() async throws {
        try await withLocalGateway { gateway in
            let authorization = [("Authorization", "Bearer \(try gateway.token("user_abc", plan: "paid"))")]
            _ = try await HTTP.get("/authorize", port: gateway.port, headers: authorization)
            try await withRedisClient(gateway.redis.configuration) { redis in
                try await redis.send("CONFIG RESETSTAT")
                for _ in 1...20 {
                    _ = try await HTTP.get("/authorize/orders", port: gateway.port, headers: authorization)
                }
                let scripts = try await redis.calls(of: "evalsha")
                #expect(scripts == 20)
            }
        }
    }
}
