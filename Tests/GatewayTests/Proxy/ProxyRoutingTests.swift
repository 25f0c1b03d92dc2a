import Hiredis
import RedisClient
import TestSupport
import Testing

/// Which route a request is for, and what that means to it.
@Suite struct ProxyRoutingTests {
    private static func upstream() async throws -> ScriptedUpstream {
        try await ScriptedUpstream.answering([.say(.answer("fine", fields: "Server: x\r\nX-Internal: y\r\n"))])
    }

    @Test func aPathThatNoRouteKnowsCostsNothing() async throws {
        let routes = "- {name: r, path: /known, methods: [GET, PUT], upstreams: \"{upstream}\"}"
        try await withRoutedGateway(routes: routes, upstream: try await Self.upstream()) { gateway in
            let token = "Authorization: \(try gateway.bearer())\r\n"
            try await withRedisClient(gateway.local.redis.configuration) { redis in
                try await redis.send("CONFIG RESETSTAT")
                for path in ["/", "/know", "/knowna", "/other/known"] {
                    let answer = try await gateway.ask(.request("GET \(path)", fields: token))
                    #expect(answer.status == 404 && answer.code == "not-found", "\(path): \(answer.text)")
                }
                for method in ["POST", "DELETE", "get", "BREW"] {
                    let answer = try await gateway.ask(.request("\(method) /known/x", fields: token))
                    #expect(answer.status == 405 && answer.code == "method-not-allowed", "\(method): \(answer.text)")
                    #expect(answer.fields["allow"] == "GET, HEAD, PUT", "\(answer.text)")
                }
                let scripts = try await redis.calls(of: "evalsha")
                #expect(scripts == 0)
            }
            gateway.expectsNothingAtUpstream("no route")
            for line in ["GET /known", "HEAD /known", "PUT /known/x?y"] {
                let answer = try await gateway.ask(.request(line, fields: token))
                #expect(answer.status == 200, "\(line)")
            }
        }
    }

    @Test(arguments: [
        ("GET /files", "GET /"), ("GET /files/", "GET /"), ("GET /files/a?b=c", "GET /a?b=c"),
        ("GET /files?b", "GET /?b"), ("GET /files/files/a", "GET /files/a"), ("GET /files/%61", "GET /%61"),
        ("GET /other/a", "GET /other/a"),
    ])
    func aPrefixMayBeTakenOff(line: String, passed: String) async throws {
        let routes = """
            - {name: files, path: /files, auth: none, stripPrefix: true, upstreams: "{upstream}"}
            - {name: other, path: /other, auth: none, upstreams: "{upstream}"}
            """
        try await withRoutedGateway(routes: routes, upstream: try await Self.upstream()) { gateway in
            let answer = try await gateway.ask(.request(line))
            #expect(answer.status == 200)
            let prefix = line.contains("/files") ? "/files" : nil
            #expect(gateway.upstream.received == .forwarded(passed, prefix: prefix))
        }
    }

    @Test func ownEndpointsGoBeforePrefixesAndBehindExactPaths() async throws {
        let routes = """
            - {name: all, path: /, auth: none, upstreams: "{upstream}"}
            - {name: usage, exactPath: /usage, auth: none, upstreams: "{upstream}"}
            """
        try await withRoutedGateway(routes: routes, upstream: try await Self.upstream()) { gateway in
            let own = try await gateway.ask(.request("GET /health"))
            #expect(own.body == #"{"status":"ok"}"#)
            let verify = try await gateway.ask(
                .request("POST /verify-auth", fields: "Authorization: \(try gateway.bearer())\r\n"))
            #expect(verify.status == 200 && verify.body.contains(#""userId":"user_abc""#))
            let guarded = try await gateway.ask(.request("GET /authorize/x"))
            #expect(guarded.status == 200 && guarded.body.isEmpty, "it tells a proxy that every request may pass")
            gateway.expectsNothingAtUpstream("own endpoints")
            for path in ["/usage", "/usage/x", "/healthy", "/verify-auth/x"] {
                let answer = try await gateway.ask(.request("GET \(path)"))
                #expect(answer.body == "fine", "\(path): \(answer.text)")
            }
        }
    }

    @Test func hostsHaveRoutesOfTheirOwn() async throws {
        let other = try await ScriptedUpstream.answering([.say(.answer("other"))])
        let routes = """
            - {name: api, host: api.example, path: /, auth: none, upstreams: "{upstream}"}
            - {name: shops, host: "*.shop.example", path: /, auth: none, hostHeader: upstream, upstreams: "{other}"}
            """
        try await withRoutedGateway(routes: routes, upstream: try await Self.upstream(), other: other) { gateway in
            let hosts = [
                ("api.example", 200, "fine"), ("API.EXAMPLE:8080", 200, "fine"), ("api.example.", 200, "fine"),
                ("a.shop.example", 200, "other"), ("a.b.shop.example", 200, "other"), ("shop.example", 404, nil),
                ("api.example.evil", 404, nil), ("other.example", 404, nil),
            ]
            for (host, status, body) in hosts {
                let answer = try await gateway.ask("GET /a HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n")
                #expect(answer.status == status && (body == nil || answer.body == body), "\(host): \(answer.text)")
            }
            // The target's host counts, whatever Host says.
            let absolute = try await gateway.ask(
                "GET http://a.shop.example/a HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n")
            #expect(absolute.body == "other")
            #expect(other.received.contains("GET /a HTTP/1.1\r\nHost: 127.0.0.1:\(other.port)\r\n"))
        }
    }

    @Test func aRequestCostsWhatItsRouteSays() async throws {
        let routes = """
            - {name: dear, path: /dear, cost: 3, upstreams: "{upstream}"}
            - {name: free, path: /free, cost: 0, upstreams: "{upstream}"}
            """
        try await withRoutedGateway(
            routes: routes, free: "quota: 7, ratePerMinute: 100", upstream: try await Self.upstream()
        ) { gateway in
            let token = "Authorization: \(try gateway.bearer(plan: "free"))\r\n"
            for (path, remaining) in [("/dear", 4), ("/free", 4), ("/dear", 1)] {
                let answer = try await gateway.ask(.request("GET \(path)", fields: token))
                #expect(answer.status == 200)
                #expect(answer.fields["ratelimit"]?.contains("\"month\";r=\(remaining);") == true, "\(answer.text)")
            }
            let refused = try await gateway.ask(.request("GET /dear", fields: token))
            #expect(refused.status == 403 && refused.code == "quota-exceeded")
            #expect(refused.body.contains(#""count":6"#), "all or nothing: \(refused.text)")
            let free = try await gateway.ask(.request("GET /free", fields: token))
            #expect(free.status == 200)
        }
    }

    @Test func aRouteMayHaveARateOfItsOwn() async throws {
        let routes = """
            - {name: slow, path: /slow, ratePerMinute: 2, upstreams: "{upstream}"}
            - {name: fast, path: /fast, upstreams: "{upstream}"}
            """
        try await withRoutedGateway(routes: routes, upstream: try await Self.upstream()) { gateway in
            func ask(_ path: String, _ user: String = "user_abc") async throws -> RawAnswer {
                try await gateway.ask(
                    .request("GET \(path)", fields: "Authorization: \(try gateway.bearer(user))\r\n"))
            }
            for remaining in [1, 0] {
                let answer = try await ask("/slow")
                #expect(answer.status == 200)
                #expect(answer.fields["ratelimit"]?.contains("\"route\";r=\(remaining);t=60") == true, "\(answer.text)")
            }
            let refused = try await ask("/slow")
            #expect(refused.status == 429 && refused.code == "rate-limit-exceeded", "\(refused.text)")
            #expect(refused.fields["ratelimit"]?.contains("\"route\";r=0;t=60") == true, "\(refused.text)")
            #expect(refused.fields["ratelimit-policy"]?.contains("\"route\";q=2;w=60") == true)
            #expect(refused.fields["retry-after"] == "60")
            let others = [try await ask("/fast"), try await ask("/slow", "user_def")]
            #expect(others.allSatisfy { $0.status == 200 })
            #expect(others[0].fields["ratelimit"]?.contains("route") == false)
            gateway.time.advance(seconds: 60)
            let later = try await ask("/slow")
            #expect(later.status == 200)
        }
    }

    @Test func headerRulesHaveTheLastWord() async throws {
        let routes = """
            - name: ruled
              path: /
              auth: none
              upstreams: "{upstream}"
              requestHeaders: {set: {Authorization: "Basic eDp5", X-Added: "1"}, remove: [Cookie, X-Forwarded-Host]}
              responseHeaders: {set: {X-Frame-Options: DENY}, remove: [Server, x-internal]}
            """
        try await withRoutedGateway(routes: routes, upstream: try await Self.upstream()) { gateway in
            let fields = "Cookie: a=b\r\nAuthorization: Bearer x\r\nX-Added: 2\r\nX-Kept: 3\r\n"
            let answer = try await gateway.ask(.request(fields: fields))
            #expect(answer.status == 200 && answer.fields["x-frame-options"] == "DENY")
            #expect(answer.fields["server"] == nil && answer.fields["x-internal"] == nil)
            let received = gateway.upstream.received
            #expect(received.contains("\r\nAuthorization: Basic eDp5\r\n") && received.contains("\r\nX-Added: 1\r\n"))
            for gone in ["Cookie", "Bearer", "X-Added: 2", "X-Forwarded-Host"] {
                #expect(!received.contains(gone), "\(gone): \(received)")
            }
            #expect(received.contains("\r\nX-Kept: 3\r\n"))
        }
    }
}
