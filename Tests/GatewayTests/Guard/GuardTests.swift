import TestSupport
import Testing
import TollgateDataPlane
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The real nginx, Caddy, HAProxy, Traefik and Envoy with the configurations of `deploy/guard`, before an API that
/// Tollgate guards.
@Suite struct GuardTests {
    @Test(arguments: GuardProgram.allCases)
    func requestsPassOrNot(program: GuardProgram) async throws {
        try await withLocalGateway { gateway in
            try await GuardedAPI.run(program, gateway: gateway.port) { api in
                let token = try gateway.token("user_abc")
                let forged = [
                    ("Authorization", "Bearer \(token)"), ("X-Tollgate-User", "user_admin"),
                    ("X-Tollgate-Plan", "pro"), ("X-Tollgate-Key-Id", "key_1"), ("X-Tollgate-Platform", "plt_1"),
                ]
                for count in 1...5 {
                    let answer = try await HTTP.send(
                        count == 1 ? "POST" : "GET", "/orders/\(count)?q=1", port: api.port, headers: forged,
                        body: count == 1 ? "a body" : nil)
                    #expect(answer.status == 200, "\(answer.body)")
                    #expect(answer.headers["x-request-id"] != nil || !program.tellsLimitsOnSuccess)
                    let remaining = program.tellsLimitsOnSuccess ? "\(5 - count)" : nil
                    #expect(answer.headers["x-ratelimit-remaining"] == remaining)
                    #expect((answer.headers["ratelimit"] != nil) == program.tellsLimitsOnSuccess)
                    let echo = answer.body.lowercased()
                    #expect(echo.contains("/orders/\(count)?q=1 http/1.1"))
                    #expect(echo.contains("x-tollgate-user: user_abc\r\n"))
                    #expect(echo.contains("x-tollgate-plan: free\r\n"))
                    #expect(echo.contains("authorization: bearer \(token.lowercased())"), "a token tells the API more")
                    for lie in ["user_admin", "key_1", "plt_1", "x-tollgate-key-id"] { #expect(!echo.contains(lie)) }
                }
                let reached = api.seen.count
                let exhausted = try await HTTP.get("/orders", port: api.port, headers: forged)
                #expect(exhausted.status == 403)
                #expect(exhausted.member("code") == "quota-exceeded")
                #expect(exhausted.headers["retry-after"] == "349200")
                #expect(exhausted.headers["ratelimit"] != nil)

                let anonymous = try await HTTP.get("/orders", port: api.port, headers: Array(forged.dropFirst()))
                #expect(anonymous.status == 401)
                #expect(anonymous.member("error") == "Authentication failed")
                #expect(anonymous.headers["www-authenticate"] == "Bearer")
                #expect(api.seen.count == reached)
            }
        }
    }

    @Test(arguments: GuardProgram.allCases)
    func refusalsKeepTheirStatus(program: GuardProgram) async throws {
        try await withLocalGateway { gateway in
            try await GuardedAPI.run(program, gateway: gateway.port) { api in
                let headers = [("Authorization", "Bearer \(try gateway.token("user_abc", plan: "paid"))")]
                for _ in 1...100 {
                    let answer = try await HTTP.get("/orders", port: api.port, headers: headers)
                    #expect(answer.status == 200)
                }
                let tooMany = try await HTTP.get("/orders", port: api.port, headers: headers)
                #expect(tooMany.status == 429)
                #expect(tooMany.member("code") == "rate-limit-exceeded")
                #expect(tooMany.headers["retry-after"] == "60")
                await gateway.redis.stop()
                let unavailable = try await HTTP.get("/orders", port: api.port, headers: headers)
                #expect(unavailable.status == 503)
                #expect(unavailable.member("code") == "service-unavailable")
                #expect(api.seen.count == 100)
            }
        }
    }

    @Test(arguments: GuardProgram.allCases)
    func keysOpenItAndStayOutside(program: GuardProgram) async throws {
        try await withLocalGateway { gateway in
            let key = try await Self.makeKey(gateway, #""name":"CI""#)
            try await GuardedAPI.run(program, gateway: gateway.port) { api in
                let foreign = ("Authorization", "Bearer of.something.else")
                let ways = [
                    [("X-API-Key", key.text)], [("Authorization", "Bearer \(key.text)")],
                    [("authorization", "bearer  \(key.text)")],
                    [("Authorization", KeyedGateways.basic("\(key.text):"))], [("X-API-Key", key.text), foreign],
                ]
                for headers in ways {
                    let answer = try await HTTP.get("/orders", port: api.port, headers: headers)
                    #expect(answer.status == 200, "\(headers.map(\.0)): \(answer.body)")
                    let echo = answer.body.lowercased()
                    #expect(echo.contains("x-tollgate-key-id: \(key.id)\r\n"))
                    #expect(echo.contains("x-tollgate-user: user_abc\r\n"))
                    #expect(!echo.contains("sk_live_") && !echo.contains("x-api-key") && !echo.contains("basic "))
                    #expect(echo.contains("of.something.else") == (headers.count == 2), "meant for the API")
                }
                let token = [("Authorization", "Bearer \(try gateway.token("user_abc"))")]
                let revoked = try await HTTP.send("DELETE", "/keys/\(key.id)", port: gateway.port, headers: token)
                #expect(revoked.status == 200)
                let after = try await HTTP.get("/orders", port: api.port, headers: [("X-API-Key", key.text)])
                #expect(after.status == 401)
                #expect(after.headers["www-authenticate"] == #"Bearer error="invalid_token""#)
                if program.keepsBodies { #expect(after.member("code") == "key-revoked") }
                #expect(api.seen.count == ways.count)
            }
        }
    }

    @Test(arguments: GuardProgram.allCases)
    func theRouteOfTheOriginalRequestCounts(program: GuardProgram) async throws {
        try await withRoutes { gateway in
            let reader = try await Self.makeKey(gateway, #""name":"reader","scopes":["orders:read"]"#)
            let writer = try await Self.makeKey(gateway, #""name":"writer","scopes":["orders:write"]"#)
            try await GuardedAPI.run(program, gateway: gateway.port) { api in
                func call(_ method: String, _ key: String) async throws -> HTTP.Answer {
                    let headers = [("X-API-Key", key), ("Host", "api.example.com")]
                    return try await HTTP.send(method, "/orders?q=1", port: api.port, headers: headers)
                }
                let made = try await call("POST", writer.text)
                #expect(made.status == 200, "\(made.body)")
                #expect(try await Self.usageCount(gateway) == "2", "it costs two calls")
                let read = try await call("GET", reader.text)
                #expect(read.status == 200, "\(read.body)")
                #expect(try await Self.usageCount(gateway) == "3")

                let refused = try await call("POST", reader.text)
                #expect(refused.status == 403)
                #expect(refused.member("code") == "scope-missing")
                let bound = try await Self.makeKey(
                    gateway, #""name":"bound","scopes":["orders:write"],"allowedIPs":["203.0.113.0/24"]"#)
                let elsewhere = try await call("POST", bound.text)
                #expect(elsewhere.status == 403)
                #expect(elsewhere.member("code") == "address-not-allowed")
                let wrongMethod = try await call("DELETE", reader.text)
                #expect(wrongMethod.status == 405)
                #expect(wrongMethod.member("code") == "method-not-allowed")
                #expect(wrongMethod.headers["allow"]?.contains("POST") == true)
                #expect(api.seen.count == 2)
            }
        }
    }

    /// A client that tells another request than it makes reaches nothing by it, whichever fields the proxy uses.
    @Test(arguments: GuardProgram.allCases)
    func aForgedOriginalRequestDoesNotCount(program: GuardProgram) async throws {
        try await withRoutes { gateway in
            let reader = try await Self.makeKey(gateway, #""name":"reader","scopes":["orders:read"]"#)
            try await GuardedAPI.run(program, gateway: gateway.port) { api in
                for (name, value) in [
                    ("X-Original-URI", "/public"), ("X-Original-URL", "http://api.example.com/public"),
                    ("X-Original-Method", "GET"), ("X-Original-Host", "other.example.com"),
                    ("X-Forwarded-Uri", "/public"), ("X-Forwarded-Method", "GET"),
                    ("X-Forwarded-Host", "other.example.com"), ("Connection", "X-Forwarded-Uri, X-Forwarded-Method"),
                ] {
                    let answer = try await HTTP.send(
                        "POST", "/orders", port: api.port,
                        headers: [("X-API-Key", reader.text), ("Host", "api.example.com"), (name, value)])
                    #expect(answer.status == 403 || answer.status == 400, "\(name): \(answer.body)")
                }
                #expect(api.seen.isEmpty)
                // The identity cannot be made a field of this hop, which the proxy would not pass on.
                let hop = try await HTTP.get(
                    "/orders", port: api.port,
                    headers: [
                        ("X-API-Key", reader.text), ("Host", "api.example.com"), ("Connection", "X-Tollgate-User"),
                    ])
                #expect(hop.body.lowercased().contains("x-tollgate-user: user_abc\r\n"), "\(hop.body)")
                #expect(!hop.body.lowercased().contains("connection: x-tollgate-user"))
                let open = try await HTTP.get(
                    "/public", port: api.port,
                    headers: [("Host", "api.example.com"), ("X-Tollgate-User", "user_admin")])
                #expect(open.status == 200, "\(open.body)")
                #expect(!open.body.lowercased().contains("x-tollgate-"), "\(open.body)")
            }
        }
    }

    /// An API cannot tell `X_Tollgate_User` from `X-Tollgate-User`, nor can a client choose its route, its credential or
    /// its address by a spelling that only one of all takes for a field.
    @Test(arguments: GuardProgram.allCases)
    func noSpellingOfOurFieldsPasses(program: GuardProgram) async throws {
        try await withRoutes { gateway in
            let reader = try await Self.makeKey(gateway, #""name":"reader","scopes":["orders:read"]"#)
            try await GuardedAPI.run(program, gateway: gateway.port) { api in
                let spellings = [
                    "X_Forwarded_Host: cheap.example", "X-Forwarded_Host: cheap.example", "X_Forwarded_Uri: /public",
                    "X_Forwarded_For: 6.6.6.6", "X_Tollgate_User: victim", "X-Tollgate_User: victim",
                    "x_tollgate_user: victim", "X.Tollgate.User: victim", "X~Tollgate~User: victim",
                    "X_API_Key: \(reader.text)",
                    "X_Real_IP: 6.6.6.6", "X_Original_URL: /public",
                ]
                for spelling in spellings {
                    func ask(_ path: String, _ fields: String = "") async throws -> HTTPAnswer {
                        let head = "GET \(path) HTTP/1.1\r\nHost: api.example.com\r\n\(fields)\(spelling)\r\n\r\n"
                        return try #require(try await RawHTTP.exchange(port: api.port, pieces: [head]).first)
                    }
                    let reached = api.seen.count
                    let anonymous = try await ask("/orders")
                    #expect([400, 401].contains(anonymous.status), "\(spelling): \(anonymous.body)")
                    #expect(api.seen.count == reached, "\(spelling)")
                    for answer in [try await ask("/public"), try await ask("/orders", "X-API-Key: \(reader.text)\r\n")]
                    {
                        #expect([200, 400].contains(answer.status), "\(spelling): \(answer.body)")
                    }
                }
                for seen in api.seen {
                    let lines = seen.split(separator: "\r\n")
                    #expect(
                        !lines.contains { line in
                            ["victim", "6.6.6.6", "cheap.example", "sk_live_", "url: /public"].contains {
                                line.contains($0)
                            }
                        }, "\(seen)")
                }
                // The guard still passes what it should.
                let fine = try await HTTP.get(
                    "/orders", port: api.port,
                    headers: [("X-API-Key", reader.text), ("Host", "api.example.com"), ("X-Custom", "fine")])
                #expect(fine.status == 200 && fine.body.lowercased().contains("x-custom: fine\r\n"), "\(fine.body)")
            }
        }
    }

    /// On a route without authentication, too, and in forms that Tollgate would not take.
    @Test(arguments: GuardProgram.allCases)
    func aKeyInAuthorizationStaysOutsideInAnyForm(program: GuardProgram) async throws {
        try await withRoutes { gateway in
            let key = try await Self.makeKey(gateway, #""name":"CI""#).text
            let basics = [":\(key)", key, "\(key):"].map { KeyedGateways.basic($0) }
            let forms = basics + ["Token \(key)", key, "Bearer x, Bearer \(key)", "Bearer \"\(key)\""]
            try await GuardedAPI.run(program, gateway: gateway.port) { api in
                for form in forms {
                    let answer = try await HTTP.get("/public", port: api.port, headers: [("Authorization", form)])
                    #expect(answer.status == 200 && !answer.body.lowercased().contains("authorization:"), "\(form)")
                }
                let beside = try await HTTP.get(
                    "/public", port: api.port, headers: [("X-API-Key", key), ("Authorization", "Token \(key)")])
                #expect(beside.status == 200 && !beside.body.contains("sk_live_"), "\(beside.body)")
                let theirs = try await HTTP.get("/public", port: api.port, headers: [("Authorization", "Token theirs")])
                #expect(theirs.body.lowercased().contains("authorization: token theirs\r\n"))
            }
        }
    }

    @Test(arguments: GuardProgram.allCases)
    func withoutTollgateNothingPasses(program: GuardProgram) async throws {
        let closedPort = try await Loopback.freePort()
        try await GuardedAPI.run(program, gateway: closedPort) { api in
            let (answer, duration) = try await timed {
                try await HTTP.get("/orders", port: api.port, headers: [("Authorization", "Bearer x")])
            }
            #expect(answer.status == program.statusWithoutTollgate)
            #expect(duration < .seconds(6))
            #expect(api.seen.isEmpty)
        }
    }

    /// Traefik waits for 30 s, which cannot be set.
    @Test(arguments: [GuardProgram.nginx, .caddy, .haproxy, .envoy])
    func aHangingTollgateIsNotWaitedForLong(program: GuardProgram) async throws {
        let hanging = try await ScriptedServer { $0.contains("/hang") ? .nothing : .hangUp }
        try await GuardedAPI.run(program, gateway: hanging.port) { api in
            let (answer, duration) = try await timed { try await HTTP.get("/hang", port: api.port) }
            #expect((502...504).contains(answer.status))
            #expect(duration < .seconds(8))
            #expect(api.seen.isEmpty)
        }
        try await hanging.close()
    }

    private func withRoutes(_ body: @escaping @Sendable (LocalGateway) async throws -> Void) async throws {
        let file = "/tmp/tg-guard-\(UInt32.random(in: 0...UInt32.max)).yaml"
        try Self.routes.write(toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }
        try await withLocalGateway(settings: ["TOLLGATE_CONFIG": file], body)
    }

    private static let routes = """
        plans: {free: {quota: 1000}, paid: {quota: 1000}}
        routes:
          - {name: read, host: api.example.com, path: /orders, methods: [GET], scopes: "orders:read"}
          - {name: write, host: api.example.com, path: /orders, methods: [POST], scopes: "orders:write", cost: 2}
          - {name: public, path: /public, auth: none}
        """

    private static func makeKey(
        _ gateway: LocalGateway, _ members: String
    ) async throws -> KeyedGateways.MadeKey {
        let answer = try await HTTP.send(
            "POST", "/keys", port: gateway.port,
            headers: [("Authorization", "Bearer \(try gateway.token("user_abc"))")], body: "{\(members)}")
        try #require(answer.status == 201, "\(answer.body)")
        return .init(id: try #require(answer.member("id")), text: try #require(answer.member("key")))
    }

    private static func usageCount(_ gateway: LocalGateway) async throws -> String? {
        let answer = try await HTTP.get(
            "/usage", port: gateway.port,
            headers: [("Authorization", "Bearer \(try gateway.token("user_abc"))")])
        return answer.body.firstRange(of: #""count":"#).map {
            String(answer.body[$0.upperBound...].prefix { $0.isNumber })
        }
    }
}
