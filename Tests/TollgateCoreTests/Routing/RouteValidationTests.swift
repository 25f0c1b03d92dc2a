import Testing
import TollgateCore

@Suite struct RouteValidationTests {
    private static func route(_ change: (inout Route) -> Void = { _ in }) -> Route {
        var route = Route(name: "r", path: .prefix("/r"))
        change(&route)
        return route
    }

    private static let read = KeyScope("read") ?? .all

    private static func checked(_ check: Route.HealthCheck) -> Route {
        route { ($0.upstreams, $0.healthCheck) = ([upstream("a")], check) }
    }

    private static func upstream(_ host: String, weight: Int = 1) -> Route.Upstream {
        Route.Upstream(host: host, port: 80, weight: weight)
    }

    @Test(arguments: [
        (route { $0.name = "R!" }, RouteProblem.invalidName),
        (route { $0.path = .prefix("r") }, .invalidPath(.path, .noSlash)),
        (route { $0.path = .exactly("/a/../b") }, .invalidPath(.exactPath, .dotSegment)),
        (route { $0.path = .prefix("/a?b") }, .pathWithQuery(.path)),
        (route { $0.path = .prefix("/%61%e4") }, .unusualPath(.path, normal: "/a%E4")),
        (route { $0.methods = ["get"] }, .invalidMethod("get")),
        (route { $0.methods = ["CONNECT"] }, .invalidMethod("CONNECT")),
        (route { $0.methods = ["A B"] }, .invalidMethod("A B")),
        (route { $0.methods = ["GET", "GET"] }, .duplicateMethod("GET")),
        (route { $0.hosts = [.exactly("a"), .exactly("a")] }, .duplicateHost("a")),
        (route { $0.upstreams = [upstream("a"), upstream("a", weight: 2)] }, .duplicateUpstream("http://a:80")),
        (route { $0.upstreams = [upstream("a", weight: 0)] }, .noWeight),
        (
            route { $0.upstreams = [upstream("a", weight: 1_001)] },
            .outOfRange(.upstreams, part: "weight", value: 1_001, range: 0...1_000)
        ),
        (route { $0.requiredScopes = [.all] }, .requiresAllScopes),
        (route { $0.requiredScopes = [.billing] }, .reservedScope(.billing)),
        (route { $0.requiredScopes = [.credentials] }, .reservedScope(.credentials)),
        (route { $0.requiredScopes = [read, read] }, .duplicateScope(read)),
        (route { $0.cost = -1 }, .outOfRange(.cost, part: nil, value: -1, range: 0...1_000_000)),
        (route { ($0.cost, $0.charge) = (0, .success) }, .nothingToCharge),
        (route { $0.authentication = .none }, .needsCaller(.cost)),
        (
            route { ($0.authentication, $0.cost, $0.ratePerMinute) = (.none, 0, 5) }, .needsCaller(.ratePerMinute)
        ),
        (
            route { ($0.authentication, $0.cost, $0.requiredScopes) = (.none, 0, [read]) }, .needsCaller(.scopes)
        ),
        (
            route {
                ($0.authentication, $0.cost, $0.idempotency) = (.none, 0, .replay)
                $0.upstreams = [upstream("a")]
            }, .needsCaller(.idempotency)
        ),
        (route { $0.idempotency = .replay }, .needsUpstream(.idempotency)),
        (route { $0.retries = 6 }, .outOfRange(.retries, part: nil, value: 6, range: 0...5)),
        (
            route { $0.timeouts.connectMilliseconds = 0 },
            .outOfRange(.timeouts, part: "connect", value: 0, range: 1...60_000)
        ),
        (
            route { $0.limits.headBytes = 1 },
            .outOfRange(.limits, part: "head", value: 1, range: 1_024...1_048_576)
        ),
        (
            route { ($0.stripsPrefix, $0.path) = (true, .exactly("/r")) }, .stripsExactPath
        ),
        (
            route { ($0.encodedSlashes, $0.path) = (.pass, .exactly("/r")) }, .needsPrefix(.encodedSlashes)
        ),
        (
            route { ($0.doubleSlashes, $0.path) = (.pass, .exactly("/r")) }, .needsPrefix(.doubleSlashes)
        ),
        (route { $0.requestHeaders.remove = ["a b"] }, .invalidHeaderName(.requestHeaders, "a b")),
        (
            route { $0.responseHeaders.set = [.init("X-A", "a\r\nb: c")] },
            .invalidHeaderValue(.responseHeaders, name: "X-A")
        ),
        (
            route { $0.requestHeaders = Route.HeaderRules(set: [.init("X-A", "1")], remove: ["x-a"]) },
            .duplicateHeader(.requestHeaders, name: "x-a")
        ),
        (
            route { $0.requestHeaders.set = [.init("Content-Length", "1")] },
            .reservedHeader(.requestHeaders, name: "Content-Length")
        ),
        (
            route { $0.requestHeaders.set = [.init("X-Tollgate-User", "1")] },
            .reservedHeader(.requestHeaders, name: "X-Tollgate-User")
        ),
        (route { $0.requestHeaders.remove = ["Host"] }, .reservedHeader(.requestHeaders, name: "Host")),
        (route { $0.hostHeader = .upstream }, .needsUpstream(.hostHeader)),
        (
            route {
                ($0.upstreams, $0.hostHeader) = ([upstream("a")], .upstream)
                $0.requestHeaders.set = [.init("host", "b")]
            }, .hostIsSetTwice
        ),
        (route { $0.healthCheck = .init(path: "/") }, .needsUpstream(.healthCheck)),
        (checked(.init(path: "health")), .invalidPath(.healthCheck, .noSlash)),
        (
            checked(.init(path: "/", intervalMilliseconds: 99)),
            .outOfRange(.healthCheck, part: "interval", value: 99, range: 100...3_600_000)
        ),
        (
            checked(.init(path: "/", timeoutMilliseconds: 60_001)),
            .outOfRange(.healthCheck, part: "timeout", value: 60_001, range: 10...60_000)
        ),
        (route { $0.upgrades = ["WebSocket"] }, .invalidUpgrade("WebSocket")),
        (route { $0.upgrades = ["web socket"] }, .invalidUpgrade("web socket")),
        (route { $0.upgrades = ["h2c"] }, .unsupportedUpgrade("h2c")),
        (route { $0.upgrades = ["h2"] }, .unsupportedUpgrade("h2")),
        (route { $0.upgrades = ["a", "a"] }, .duplicateUpgrade("a")),
        (
            route { $0.upgrades = (0..<17).map { "p\($0)" } }, .tooMany(.upgrades, count: 17, maximum: 16)
        ),
    ])
    func problemIsNamed(route: Route, problem: RouteProblem) {
        #expect(route.problems == [problem])
        #expect(throws: InvalidRoutes.self) { try RouteTable([route]) }
    }

    @Test func standardRouteHasNoProblem() {
        #expect(Self.route().problems.isEmpty)
        let free = Route(name: "free", path: .prefix("/"), authentication: .none)
        #expect(free.problems.isEmpty)
        #expect(free.cost == 0)
    }

    @Test func whatIsAboutUpstreamsHasDefaults() {
        let check = Route.HealthCheck(path: "/health?deep=1")
        #expect(check.intervalMilliseconds == 5_000)
        #expect(check.timeoutMilliseconds == 1_000)
        #expect(Self.checked(check).problems.isEmpty)
        #expect(Self.route().hostHeader == .client)
        #expect(Self.route().healthCheck == nil)
        #expect(Self.route().upgrades == ["websocket"])
        #expect(Self.route { $0.upgrades = [] }.problems.isEmpty)
    }

    /// Whatever a route asks for, an admission can ask for, and a key can have.
    @Test func scopesAreThoseOfKeys() {
        let scopes = (0..<KeyScope.maximumCount).compactMap { KeyScope("scope:\($0)") }
        #expect(Self.route { $0.requiredScopes = scopes }.problems.isEmpty)
        let more = scopes + [Self.read]
        #expect(
            Self.route { $0.requiredScopes = more }.problems
                == [.tooMany(.scopes, count: KeyScope.maximumCount + 1, maximum: KeyScope.maximumCount)])
    }

    /// Two routes, and whether they claim the same requests.
    @Test(arguments: [
        (route { $0.path = .prefix("/a") }, route { $0.path = .prefix("/a/") }, "a"),
        (route { $0.methods = ["GET", "PUT"] }, route { $0.methods = ["PUT"] }, "PUT"),
        (route { $0.hosts = [.exactly("a"), .exactly("b")] }, route { $0.hosts = [.exactly("b")] }, "a"),
        (route { $0.hosts = [.below("a")] }, route { $0.hosts = [.below("a")] }, "a"),
        (route { $0.methods = ["GET"] }, route(), ""),
        (route { $0.methods = ["GET"] }, route { $0.methods = ["HEAD"] }, ""),
        (route { $0.path = .exactly("/r") }, route(), ""),
        (route { $0.hosts = [.exactly("a")] }, route { $0.hosts = [.below("a")] }, ""),
        (route { $0.hosts = [.exactly("a")] }, route(), ""),
    ])
    func conflictsAreFound(first: Route, second: Route, expected: String) {
        var second = second
        second.name = "s"
        do throws(InvalidRoutes) {
            _ = try RouteTable([first, second])
            #expect(expected.isEmpty)
        } catch {
            let method = expected == "a" ? nil : expected
            #expect(error.entries.map(\.index) == [1])
            #expect(error.entries.map(\.problem) == [.conflict(second.pathField, with: "r", method: method)])
        }
    }

    @Test func allProblemsAreFoundAtOnce() {
        let bad = Self.route { ($0.name, $0.retries, $0.methods) = ("", 9, ["x"]) }
        let error = #expect(throws: InvalidRoutes.self) { try RouteTable([Self.route(), bad, Self.route(), bad]) }
        #expect(error?.entries.map(\.index) == [1, 1, 1, 2, 3, 3, 3, 3])
        #expect(error?.entries.contains { $0.index == 2 && $0.problem == .duplicateName } == true)
    }

    /// Values may be credentials of the upstream.
    @Test func noDescriptionShowsAHeadersValue() {
        let route = Self.route { $0.requestHeaders.set = [.init("Authorization", "hunter2")] }
        var dumped = ""
        dump(route, to: &dumped)
        for text in ["\(route)", String(reflecting: route), dumped, "\(route.requestHeaders)"] {
            #expect(!text.contains("hunter2"))
        }
        #expect("\(route.requestHeaders)" == "set Authorization")
    }
}
