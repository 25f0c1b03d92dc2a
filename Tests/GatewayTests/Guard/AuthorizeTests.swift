import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

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

    /// What Envoy asks, byte for byte: by the request's method and host, with its path behind `/authorize`, without a body
    /// and with those of the client's fields that `deploy/guard/envoy.yaml` allows.
    @Test func envoyIsAnswered() async throws {
        try await withTemporaryRoutes { gateway in
            let token = "Authorization: Bearer \(try gateway.token("user_abc"))"
            func ask(_ method: String, _ path: String, _ fields: [String]) async throws -> HTTPAnswer {
                let lines =
                    ["\(method) /authorize\(path) HTTP/1.1", "host: api.example.com", "content-length: 0"] + fields
                    + ["x-envoy-internal: true", "x-forwarded-for: 192.0.2.1", "", ""]
                let answers = try await RawHTTP.exchange(
                    port: gateway.port, pieces: [lines.joined(separator: "\r\n")])
                return try #require(answers.first)
            }
            let made = try await ask("POST", "/orders?q=1", [token, "idempotency-key: order-1"])
            #expect(made.status == 200, "\(made.body)")
            #expect(made.headers["x-tollgate-user"] == "user_abc")
            #expect(made.headers["x-ratelimit-remaining"] == "3", "it costs two calls")
            let wrongMethod = try await ask("DELETE", "/orders", [token])
            #expect(wrongMethod.status == 405)
            let anonymous = try await ask("POST", "/orders", [])
            #expect(anonymous.status == 401)
            let forged = try await ask("POST", "/orders", [token, "x-original-uri: /public"])
            #expect(forged.status == 400)
            let open = try await ask("GET", "/public", [])
            #expect(open.status == 200)
            #expect(open.headers["x-tollgate-user"] == nil)
            let options = try await ask("OPTIONS", "/public", ["access-control-request-method: POST"])
            #expect(options.status == 200, "a question about a preflight, and no preflight")
            #expect(options.headers["access-control-allow-origin"] == nil)
            let untaken = try await ask("OPTIONS", "/orders", [token])
            #expect(untaken.status == 405)
        }
    }

    @Test func aProxyThatTellsThePathMustTellTheMethod() async throws {
        try await withTemporaryRoutes { gateway in
            let headers = [("Authorization", "Bearer \(try gateway.token("user_abc"))"), ("X-Original-URI", "/orders")]
            let silent = try await HTTP.get("/authorize", port: gateway.port, headers: headers)
            #expect(silent.status == 400)
            #expect(silent.member("message")?.contains("X-Original-Method") == true)
            let told = try await HTTP.get(
                "/authorize", port: gateway.port,
                headers: headers + [("X-Original-Method", "POST"), ("X-Original-Host", "api.example.com")])
            #expect(told.status == 200, "\(told.body)")
        }
    }

    /// A laxer route cannot be chosen, whatever a client writes where.
    @Test func aQuestionWithTwoMeaningsIsRefused() async throws {
        try await withTemporaryRoutes { gateway in
            let told = "X-Forwarded-Method: POST\r\nX-Forwarded-Uri: /orders\r\nX-Forwarded-Host: api.example.com\r\n"
            let added = [
                "X-Forwarded-Host: cheap.example", "X-Forwarded-Uri: /public", "X-Forwarded-Method: GET",
                "X_Forwarded_Host: cheap.example", "X-Forwarded_Uri: /public", "X.Tollgate.User: victim",
            ]
            for field in added {
                for fields in [told + field + "\r\n", field + "\r\n" + told] {
                    let text = "GET /authorize HTTP/1.1\r\nHost: tollgate\r\n\(fields)\r\n"
                    let answer = try #require(
                        try await RawHTTP.exchange(port: gateway.port, pieces: [text]).first)
                    #expect(answer.status == 400 && answer.body.contains(#""code":"bad-request""#), "\(field)")
                }
            }
            for url in ["/orders?x=://gw/public", "http://api.example.com/orders?x=://gw/public"] {
                let answer = try await HTTP.get(
                    "/authorize", port: gateway.port,
                    headers: [
                        ("X-Original-URL", url), ("X-Original-Method", "POST"), ("X-Original-Host", "api.example.com"),
                    ])
                #expect(answer.status == 401, "\(url): \(answer.body)")
            }
        }
    }

    private func withTemporaryRoutes(
        _ body: @escaping @Sendable (LocalGateway) async throws -> Void
    ) async throws {
        let file = "/tmp/tg-authorize-\(UInt32.random(in: 0...UInt32.max)).yaml"
        let routes = """
            routes:
              - {name: orders, host: api.example.com, path: /orders, methods: [POST], cost: 2}
              - {name: public, path: /public, auth: none}
            """
        try routes.write(toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }
        try await withLocalGateway(settings: ["TOLLGATE_CONFIG": file], body)
    }
}
