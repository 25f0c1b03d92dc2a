import TestSupport
import Testing
import TollgateDev

/// Who the caller is, the upstream hears from the gateway alone; and what opened the gateway stays there.
@Suite struct ProxyIdentityTests {
    private static let routes = """
        - {name: metered, path: /, upstreams: "{upstream}"}
        - {name: public, path: /public, auth: none, upstreams: "{upstream}"}
        - {name: outage, path: /outage, onRedisDown: open, upstreams: "{upstream}"}
        """

    private static let forged = """
        X-Tollgate-User: admin
        x_tollgate_user: admin
        X.Tollgate.User: admin
        X~Tollgate~User: admin
        X_API_Key: sk_live_forged
        Idempotency_Key: forged
        X_Original_URL: /evil
        X-Original-URL: /evil
        X-Rewrite-URL: /evil
        X_Real_IP: 6.6.6.6
        X_Tollgate-Plan: gold
        X-TOLLGATE-PLAN: gold
        X-Tollgate-Key-Id: key_1
        X-Tollgate-Platform: plt_1
        X-Tollgate-Anything: 1
        X-Forwarded-For: 6.6.6.6
        X_Forwarded_For: 6.6.6.6
        X-Forwarded-Host: evil.example
        X-Forwarded-Proto: https
        X-Forwarded-Prefix: /evil
        X-Forwarded-Uri: /evil
        X-Real-IP: 6.6.6.6
        Forwarded: for=6.6.6.6
        Proxy: http://evil.example
        Proxy-Authorization: Basic eDp5
        Keep-Alive: timeout=5
        """.split(separator: "\n").map { $0 + "\r\n" }.joined()

    @Test(arguments: [
        "", "Connection: X-Tollgate-User, X-Tollgate-Plan, X-Forwarded-For, Host, X-Request-Id\r\n",
        "Connection: Content-Length\r\nConnection: Transfer-Encoding, x-forwarded-host\r\n",
    ])
    func whatAClientSaysOfItselfIsNotPassedOn(connection: String) async throws {
        let upstream = try await ScriptedUpstream.answering(after: "hi")
        try await withRoutedGateway(routes: Self.routes, upstream: upstream) { gateway in
            let authorization = "Authorization: \(try gateway.bearer())\r\n"
            let fields = authorization + connection + Self.forged + "Content-Length: 2\r\n"
            let answer = try await gateway.ask(.request("POST /a", fields: fields, body: "hi"))
            #expect(answer.status == 200, "\(answer.text)")
            let ours = "X-Tollgate-User: user_abc\r\nX-Tollgate-Plan: paid\r\n"
            let expected = String.forwarded(
                "POST /a", passed: authorization, ours: ours, framing: "Content-Length: 2\r\n", body: "hi")
            #expect(upstream.received == expected)
            #expect(answer.fields["x-tollgate-user"] == nil)
        }
    }

    @Test func whereNobodyIsAskedNobodyIsNamed() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: Self.routes, upstream: upstream) { gateway in
            let answer = try await gateway.ask(.request("GET /public", fields: Self.forged))
            #expect(answer.status == 200)
            #expect(upstream.received == .forwarded("GET /public"))
        }
    }

    /// A client may take its token from the upstream, but not from the gateway.
    @Test func aTokenThatConnectionNamesStillAuthenticates() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: Self.routes, upstream: upstream) { gateway in
            let fields = "Authorization: \(try gateway.bearer())\r\nConnection: Authorization\r\n"
            let answer = try await gateway.ask(.request(fields: fields))
            #expect(answer.status == 200)
            #expect(upstream.received == .forwarded(ours: "X-Tollgate-User: user_abc\r\nX-Tollgate-Plan: paid\r\n"))
            let none = try await gateway.ask(.request(fields: "Connection: Authorization\r\n"))
            #expect(none.status == 401 && none.code == "session-token-missing")
        }
    }

    @Test func keysStayWithTheGateway() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: Self.routes, upstream: upstream) { gateway in
            let key = try await gateway.makeKey()
            let other = try await gateway.makeKey()
            let basic = KeyedGateways.basic("\(key.text):")
            let otherBasic = KeyedGateways.basic("\(other.text):x")
            let ways: [(fields: String, passed: String)] = [
                ("X-API-Key: \(key.text)\r\n", ""), ("Authorization: Bearer \(key.text)\r\n", ""),
                ("authorization: bearer  \(key.text)\r\n", ""), ("Authorization: \(basic)\r\n", ""),
                ("X-API-Key:\r\nAuthorization: Bearer \(key.text)\r\n", ""),
                ("X-API-Key: \(key.text)\r\nAuthorization: Bearer \(other.text)\r\n", ""),
                ("Authorization: \(otherBasic)\r\nX-API-Key: \(key.text)\r\n", ""),
                // What stands beside a key may be meant for the upstream.
                ("X-API-Key: \(key.text)\r\nAuthorization: Basic eDp5\r\n", "Authorization: Basic eDp5\r\n"),
                ("X-API-Key: \(key.text)\r\nCookie: a=1; k=\(key.text)\r\n", "Cookie: a=1; k=withheld\r\n"),
            ]
            // The second time the worker knows the key.
            for (number, way) in (ways + ways).enumerated() {
                let answer = try await gateway.ask(.request("GET /\(number)", fields: way.fields))
                #expect(answer.status == 200, "\(number): \(answer.text)")
                let ours =
                    "X-Tollgate-User: user_abc\r\nX-Tollgate-Plan: paid\r\n"
                    + "X-Tollgate-Key-Id: \(key.id)\r\n"
                let expected = String.forwarded("GET /\(number)", passed: way.passed, ours: ours)
                #expect(upstream.received.hasSuffix(expected), "\(number): \(upstream.received.suffix(800))")
            }
            for secret in [key.text, other.text, basic, otherBasic] { #expect(!upstream.received.contains(secret)) }
        }
    }

    @Test func keysStayWithTheGatewayWhereNobodyIsAskedForOne() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: Self.routes, upstream: upstream) { gateway in
            let key = try await gateway.makeKey().text
            let basic = KeyedGateways.basic("\(key):")
            for way in ["X-API-Key: \(key)", "Authorization: Bearer \(key)", "Authorization: \(basic)"] {
                let answer = try await gateway.ask(.request("GET /public", fields: "\(way)\r\n"))
                #expect(answer.status == 200)
            }
            #expect(!upstream.received.contains(key) && !upstream.received.contains(basic))
            // A key of the upstream's own is none of ours.
            let theirs = "X-API-Key: theirs\r\nAuthorization: Bearer of.some.kind\r\n"
            _ = try await gateway.ask(.request("GET /public", fields: theirs))
            #expect(upstream.received.hasSuffix(.forwarded("GET /public", passed: theirs)))
        }
    }

    /// In whatever form a key stands in a head, it goes no further, also where none is asked for.
    @Test func noFormOfAKeyReachesAnUpstream() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: Self.routes, upstream: upstream) { gateway in
            let keys = [
                try await gateway.makeKey().text, try await gateway.makeKey(#""name":"t","mode":"test""#).text,
                KeyedGateways.mistyped(try await gateway.makeKey().text),
                "pk_live_" + String(repeating: "0f", count: 32),
            ]
            for key in keys {
                let pairs = [key, "\(key):", ":\(key)", "u:\(key)", "user:pass \(key) word", "\(key):\(key)"]
                let basics = pairs.map { KeyedGateways.basic($0) }
                let unpadded = basics.map { String($0.prefix { $0 != "=" }) }
                let ofURLs = basics.map { $0.replacing("+", with: "-").replacing("/", with: "_") }
                let authorizations =
                    basics + unpadded + ofURLs + [
                        key, "Token \(key)", "Bearer\t\(key)", "Bearer \"\(key)\"", "Bearer x, Bearer \(key)",
                        "ApiKey key=\(key)", "basic\t" + basics[1].dropFirst(6), "Bearer \(key)",
                        "Basic eDp5, \(basics[1])",
                    ]
                let fields =
                    authorizations.map { "Authorization: \($0)" } + [
                        "X-API-Key: \(key)", "X-API-Key: \"\(key)\"", "X-API-Key: Bearer \(key)",
                        "X-API-Key: x, \(key)",
                        "X-Request-Id: \(key)", "Cookie: a=1; key=\(key); b=2", "Referer: http://a/?key=\(key)",
                        "X-Custom: \(key)",
                        "X_API_Key: \(key)", "Proxy-Authorization: Bearer \(key)", "X-Two: \(key) \(key)",
                    ]
                for field in fields {
                    let answer = try await gateway.ask(.request("GET /public", fields: "\(field)\r\n"))
                    #expect(answer.status == 200, "\(field)")
                }
                for path in ["/public?key=\(key)&x=1", "/public/\(key)/x"] {
                    let answer = try await gateway.ask(.request("GET \(path)"))
                    #expect(answer.status == 200, "\(path)")
                }
                let host = try await gateway.ask(
                    "GET http://\(key)/public HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                #expect(host.status == 400, "\(host.text)")
                let secret = key.dropFirst(30).prefix(30)
                #expect(!upstream.received.contains(secret), "\(key)")
                for basic in basics { #expect(!upstream.received.contains(basic.dropFirst(20).prefix(40)), "\(basic)") }
            }
            #expect(upstream.received.contains("Cookie: a=1; key=withheld; b=2\r\n"))
            #expect(upstream.received.contains("X-Two: withheld withheld\r\n"))
            #expect(upstream.received.contains("GET /public?key=withheld&x=1 HTTP/1.1\r\n"))
            #expect(upstream.received.contains("GET /public/withheld/x HTTP/1.1\r\n"))
        }
    }

    /// Other services' keys begin as ours do: in a page's address or a cookie they do not concern the gateway.
    @Test func whatIsNoKeyOfOursPasses() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: Self.routes, upstream: upstream) { gateway in
            let theirs = "Cookie: pk=pk_live_51HabcDEFghiJKLmnoPQRstuVWXyz0123456789abcdefghijklmnopqrstuvwxyzABC\r\n"
            let more = "X-Note: sk_live_ and sk_test_short\r\nAuthorization: Basic eDp5\r\n"
            let line = "GET /public?k=pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"
            _ = try await gateway.ask(.request(line, fields: theirs + more))
            #expect(upstream.received == .forwarded(line, passed: theirs + more))
        }
    }

    @Test func keysStayWithTheGatewayWhenRedisIsAway() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: Self.routes, upstream: upstream) { gateway in
            let key = try await gateway.makeKey()
            let before = try await gateway.ask(.request("GET /outage", fields: "X-API-Key: \(key.text)\r\n"))
            #expect(before.status == 200)
            await gateway.local.redis.stop()
            for way in ["X-API-Key: \(key.text)", "Authorization: Bearer \(key.text)"] {
                let answer = try await gateway.ask(.request("GET /outage", fields: "\(way)\r\n"))
                #expect(answer.status == 200, "\(answer.text)")
                #expect(answer.fields["x-tollgate-degraded"] == "redis-unavailable")
                let ours = "X-Tollgate-User: user_abc\r\nX-Tollgate-Key-Id: \(key.id)\r\n"
                #expect(upstream.received.hasSuffix(.forwarded("GET /outage", ours: ours)))
            }
            #expect(!upstream.received.contains(key.text))
            // A gateway that ends without Redis tries for half a minute to book what has passed.
            try await gateway.local.redis.restart()
        }
    }

    /// An empty field names no caller, also after a request with a field that did.
    @Test func anEmptyKeyNamesNobody() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: Self.routes, upstream: upstream) { gateway in
            let key = try await gateway.makeKey().text
            let good = try await gateway.ask(
                .request(fields: "X-API-Key:\r\nAuthorization: Bearer \(key)\r\n"))
            #expect(good.status == 200)
            for fields in ["X-API-Key:\r\n", "X-API-Key: \r\nAuthorization:\r\n", "Authorization: \r\n", ""] {
                let answer = try await gateway.ask(.request(fields: fields))
                #expect(answer.status == 401 && answer.code == "session-token-missing", "\(fields): \(answer.text)")
            }
        }
    }
}
