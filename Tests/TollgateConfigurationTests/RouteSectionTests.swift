import Testing
import TollgateConfiguration
import TollgateCore

@Suite struct RouteSectionTests {
    private typealias Fixture = ConfigurationFixture

    private static let complete = """
        port: 80
        routes:
          - name: orders
            hosts: [API.example.com, "*.example.org"]
            path: /orders
            methods: [GET, POST]
            upstreams:
              - url: http://10.0.0.7:3000
                weight: 3
              - https://Orders.internal
              - {url: "http://[2001:db8::1]/"}
            auth: key
            scopes: [orders:read, orders:write]
            cost: 2
            ratePerMinute: 30
            charge: success
            idempotency: replay
            onRedisDown: open
            timeouts: {connect: 500ms, response: 1m, idle: 90}
            retries: 3
            limits: {head: 16KB, body: 10MB, bodyRate: 1KB}
            requestHeaders:
              set: {Authorization: Bearer hunter2, X-Empty: ''}
              remove: [Cookie]
            responseHeaders: {remove: Server}
            encodedSlashes: pass
            doubleSlashes: pass
            stripPrefix: true
            mapLocations: false
            hostHeader: upstream
            healthCheck: {path: /health?deep=1, interval: 10s, timeout: 250ms}
            upgrades: []
          - name: status
            host: status.example.com
            exactPath: /
            auth: none
        """

    @Test func everyKeyArrives() throws {
        let routes = try RouteFixture.routes(Self.complete)
        try #require(routes.count == 2)
        let orders = Route(
            name: "orders", hosts: [.exactly("api.example.com"), .below("example.org")], path: .prefix("/orders"),
            methods: ["GET", "POST"],
            upstreams: [
                Route.Upstream(host: "10.0.0.7", port: 3_000, weight: 3),
                Route.Upstream(usesTLS: true, host: "orders.internal", port: 443),
                Route.Upstream(host: "[2001:db8::1]", port: 80),
            ], authentication: .key, requiredScopes: ["orders:read", "orders:write"].compactMap(KeyScope.init),
            cost: 2, ratePerMinute: 30, charge: .success, idempotency: .replay, onRedisDown: .open,
            timeouts: .init(connectMilliseconds: 500, responseMilliseconds: 60_000, idleMilliseconds: 90_000),
            retries: 3, limits: .init(headBytes: 16_384, bodyBytes: 10_485_760, bodyRate: 1_024),
            requestHeaders: .init(
                set: [.init("Authorization", "Bearer hunter2"), .init("X-Empty", "")], remove: ["Cookie"]),
            responseHeaders: .init(remove: ["Server"]), encodedSlashes: .pass, doubleSlashes: .pass, stripsPrefix: true,
            mapsLocations: false, hostHeader: .upstream,
            healthCheck: .init(path: "/health?deep=1", intervalMilliseconds: 10_000, timeoutMilliseconds: 250),
            upgrades: [])
        #expect(routes[0] == orders)
        #expect(
            routes[1]
                == Route(
                    name: "status", hosts: [.exactly("status.example.com")], path: .exactly("/"), authentication: .none)
        )
    }

    @Test func whatIsNotGivenHasDefaults() throws {
        let bare = Route(name: "r", path: .prefix("/r"))
        for yaml in ["auth:", "scopes:\nupstreams:\ntimeouts:\nlimits: {head: }", "auth: any", "methods: []"] {
            #expect(try RouteFixture.routes(RouteFixture.yaml(yaml)) == [bare])
        }
        #expect(
            try RouteFixture.routes(RouteFixture.yaml("upstreams: http://a:81"))[0].upstreams
                == [Route.Upstream(host: "a", port: 81)])
        #expect(try RouteFixture.routes(RouteFixture.yaml("auth: none"))[0].cost == 0)
    }

    @Test func fileWithoutRoutesHasNone() throws {
        for yaml in ["port: 80", "routes:", "routes: []", ""] {
            #expect(try Fixture.load(files: ["tollgate.yaml": yaml]).routes == .empty)
        }
        #expect(try Fixture.load().routes.isEmpty)
    }

    @Test func describeShowsEachRoute() throws {
        let lines = try Fixture.load(files: ["tollgate.yaml": Self.complete]).describe()
        let orders = """
            routes.orders = api.example.com *.example.org /orders and below, GET POST, auth key, cost 2, \
            scopes orders:read orders:write, 30 a minute, idempotency replay, bodyRate 1024 bytes, \
            %2F passes, // passes, to http://10.0.0.7:3000 \
            https://orders.internal:443 http://[2001:db8::1]:80 (tollgate.yaml:3)
            """
        let status = "routes.status = status.example.com / alone, auth none, cost 0, no upstreams (tollgate.yaml:33)"
        #expect(lines.suffix(2) == [orders, status])
        let unhurried = RouteFixture.yaml("limits: {bodyRate: 0}")
        let slow = try Fixture.load(files: ["tollgate.yaml": unhurried]).describe().last
        #expect(slow?.contains(", cost 1, any bodyRate, no upstreams ") == true)
        let bare = try Fixture.load(files: ["tollgate.yaml": RouteFixture.yaml("")]).describe().last
        #expect(bare == "routes.r = any host /r and below, auth any, cost 1, no upstreams (tollgate.yaml:2)")
    }

    @Test func noDescriptionShowsAHeadersValue() throws {
        let configuration = try Fixture.load(files: ["tollgate.yaml": Self.complete])
        var dumped = ""
        dump(configuration, to: &dumped)
        dump(configuration.routes, to: &dumped)
        for text in [dumped, "\(configuration)", configuration.describe().joined(), "\(configuration.routes)"] {
            #expect(!text.contains("hunter2"))
        }
    }

    /// A file with an alias means what is written at its anchor.
    @Test func aliasesAreFollowed() throws {
        let yaml = """
            routes:
              - {name: a, path: /a, timeouts: &slow {response: 2m}}
              - {name: b, path: /b, timeouts: *slow}
            """
        #expect(try RouteFixture.routes(yaml).map(\.timeouts.responseMilliseconds) == [120_000, 120_000])
    }

    /// Some lines that stand for more than there is memory, as keys and as values, with one name and with several.
    @Test(arguments: [
        (0..<30).map { "a\($0): &a\($0) [\($0 == 0 ? "x" : "*a\($0 - 1), *a\($0 - 1)")]" }.joined(separator: "\n")
            + "\n? *a29\n: x",
        "a0: &a [x]\n" + (1..<30).map { "a\($0): &a [*a, *a]\n" }.joined() + "? *a\n: x",
        (0..<30).map { "a\($0): &a\($0) {\($0 == 0 ? "x: y" : "? *a\($0 - 1)\n : *a\($0 - 1)")}" }
            .joined(separator: "\n"),
    ])
    func aliasesThatStandForTooMuchAreRefused(yaml: String) throws {
        let problems = try ConfigurationFixture.problems(yaml: yaml)
        #expect(problems.first?.message.contains("aliases stand for more than 64 MB") == true, "\(problems)")
    }

    @Test func manyRoutesShareOneAnchor() throws {
        let routes = (0..<1_000).map {
            "- {name: r\($0), path: /r\($0), timeouts: *slow, limits: *small, upstreams: *upstreams}\n"
        }
        let yaml = """
            routes:
            - {name: a, path: /a, timeouts: &slow {response: 2m}, limits: &small {body: 1KB}}
            - {name: b, path: /b, upstreams: &upstreams ["http://10.0.0.7:3000", "http://10.0.0.8:3000"]}

            """
        #expect(try RouteFixture.routes(yaml + routes.joined()).count == 1_002)
    }

    /// Deeper than the parser goes, and deeper than the stack is.
    @Test(arguments: ["[", "{a: ", "- ", "? "])
    func depthIsBounded(opening: String) throws {
        let problems = try ConfigurationFixture.problems(
            yaml: "routes: \n " + String(repeating: opening, count: 100_000))
        #expect(!problems.isEmpty)
    }

    @Test func manyRoutesAreRead() throws {
        func yaml(_ count: Int) -> String {
            "routes:\n" + (0..<count).map { "- {name: r\($0), path: /r\($0)}\n" }.joined()
        }
        #expect(try RouteFixture.routes(yaml(500)).count == 500)
        let problems = try Fixture.problems(yaml: yaml(RouteTable.maximumCount + 1))
        #expect(problems.map(\.message) == ["there are 4097 routes"])
    }
}
