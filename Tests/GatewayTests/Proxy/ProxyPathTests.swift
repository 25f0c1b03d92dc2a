import TestSupport
import Testing

/// Paths that servers read differently find one route or none, and the same one in both modes.
@Suite struct ProxyPathTests {
    private static let routes = """
        - {name: orders, path: /orders, upstreams: "{upstream}"}
        - {name: admin, exactPath: /admin, upstreams: "{upstream}"}
        - {name: gitlab, path: /gitlab, auth: none, encodedSlashes: pass, upstreams: "{upstream}"}
        - {name: secret, path: /gitlab/secret, upstreams: "{upstream}"}
        - {name: store, path: /store, auth: none, doubleSlashes: pass, stripPrefix: true, upstreams: "{upstream}"}
        - {name: all, path: /, auth: none, upstreams: "{upstream}"}
        """

    /// What asks for a credential asks for it however its path is written.
    private static let guarded = [
        "/orders", "/orders;x", "/orders;x=1/7", "/orders%3Bx", "/orders%3bx/7", "/orders/7;v=1", "/%6frders;x",
        "/admin;x",
        "/orders;", "/gitlab/secret;v=1", "/gitlab/secret%3B/a",
    ]

    private static let refused = [
        "/;/orders", "/x/;/orders", "/;x/orders", "/orders/;x", "/%3B/orders", "/orders/..;/x", "/x/%2e%2e;/orders",
        "/orders%2F7", "/orders//7", "//orders", "/x%2F..%2Forders", "/gitlab%2Fa", "/gitlab//a", "/gitlab/a%2F%2Fb",
        "/gitlab/secret%2Fa", "/gitlab/secret/a%2Fb", "/gitlab/a%2F..%2Fsecret", "/gitlab/a;x%2Fb", "/store/a%2Fb",
        "/store//a", "/store%2F/a", "//store/a", "/store/a//..//b", "/x//y", "/x%2fy", "/health%2F", "/%2Fhealth",
        "/usage//x", "/authorize%2Fx", "/gitlab/a%5Cb",
    ]

    /// A path, and what the upstream is asked for.
    private static let passed = [
        ("/gitlab/group%2Fproject", "/gitlab/group%2Fproject"),
        ("/gitlab/@scope%2fname?x=%2F", "/gitlab/@scope%2fname?x=%2F"),
        ("/store/bucket//key", "/bucket//key"), ("/store/a///b//", "/a///b//"), ("/store;v=1/a;w//b", "/a;w//b"),
        // Blanks, capitals and dots at the end make another path, as they do for most servers.
        ("/orders%20", "/orders%20"), ("/ORDERS", "/ORDERS"), ("/orders.", "/orders."), ("/ordersx;y", "/ordersx;y"),
    ]

    private func withGateway(_ body: @escaping @Sendable (RoutedGateway) async throws -> Void) async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: Self.routes, upstream: upstream, body)
    }

    @Test func aRouteIsNotSlippedPast() async throws {
        try await withGateway { gateway in
            for path in Self.guarded {
                let answer = try await gateway.ask(.request("GET \(path)"))
                #expect(answer.status == 401, "\(path): \(answer.text)")
            }
            for path in Self.refused {
                let answer = try await gateway.ask(.request("GET \(path)"))
                #expect(answer.status == 400 && answer.code == "bad-request", "\(path): \(answer.text)")
            }
            gateway.expectsNothingAtUpstream("paths that are refused")
        }
    }

    /// The owner of a route with `encodedSlashes: pass` must not look for the fault in that setting.
    @Test func aPathOfTwoRoutesIsToldFromOneThatNoRouteTakes() async throws {
        try await withGateway { gateway in
            let other = try await gateway.ask(.request("GET /gitlab/secret%2Fa"))
            #expect(other.text.contains("The path reads as another route's"), "\(other.text)")
            let none = try await gateway.ask(.request("GET /x%2Fy"))
            #expect(none.text.contains("The path holds an encoded slash"), "\(none.text)")
            let asked = try await gateway.ask(
                .request(
                    "GET /authorize", fields: "X-Original-URI: /gitlab/secret%2Fa\r\nX-Original-Method: GET\r\n"))
            #expect(asked.text.contains("The path reads as another route's"), "\(asked.text)")
        }
    }

    @Test(arguments: passed)
    func whatPassesGoesOnAsItWasSent(path: String, passed: String) async throws {
        try await withGateway { gateway in
            let answer = try await gateway.ask(.request("GET \(path)"))
            #expect(answer.status == 200, "\(path): \(answer.text)")
            let prefix = path.hasPrefix("/store") ? "/store" : nil
            #expect(gateway.upstream.received == .forwarded("GET \(passed)", prefix: prefix))
        }
    }

    /// nginx and Caddy tell the path in a field, Envoy behind `/authorize`.
    @Test func aProxyIsToldTheSame() async throws {
        try await withGateway { gateway in
            let expected =
                Self.guarded.map { ($0, 401) } + Self.refused.map { ($0, 400) } + Self.passed.map { ($0.0, 200) }
            for (path, status) in expected {
                let told = try await gateway.ask(
                    .request(
                        "GET /authorize",
                        fields: "X-Original-URI: \(path)\r\nX-Original-Method: GET\r\nX-Original-Host: api.example\r\n")
                )
                #expect(told.status == status, "X-Original-URI \(path): \(told.text)")
                let behind = try await gateway.ask(.request("GET /authorize\(path)"))
                #expect(behind.status == status, "/authorize\(path): \(behind.text)")
            }
            gateway.expectsNothingAtUpstream("questions")
        }
    }

    /// A browser asks before it sends what a route with methods takes.
    @Test func aPreflightOfAnOddPathIsAnswered() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        let routes = """
            - {name: gitlab, path: /gitlab, methods: [GET], encodedSlashes: pass, upstreams: "{upstream}"}
            """
        try await withRoutedGateway(
            routes: routes, upstream: upstream, settings: ["FRONTEND_URL": "https://app.example.com"]
        ) { gateway in
            let fields = "Origin: https://app.example.com\r\nAccess-Control-Request-Method: GET\r\n"
            let allowed = try await gateway.ask(.request("OPTIONS /gitlab/a%2Fb", fields: fields))
            #expect(allowed.fields["access-control-allow-origin"] == "https://app.example.com", "\(allowed.text)")
            let refused = try await gateway.ask(.request("OPTIONS /other/a%2Fb", fields: fields))
            #expect(refused.status == 400)
            gateway.expectsNothingAtUpstream("a preflight")
        }
    }
}
