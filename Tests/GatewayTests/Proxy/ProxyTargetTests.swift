import TestSupport
import Testing

/// What a request asks for: read in one way, or refused.
@Suite struct ProxyTargetTests {
    private static let ambiguousTargets: [(String, String)] = [
        ("OPTIONS", "*"), ("GET", "*"), ("CONNECT", "other.example:443"), ("CONNECT", "/a"),
        ("GET", "other.example:80"),
        ("GET", "a"), ("GET", "?x"), ("GET", "/a/../b"), ("GET", "/.."), ("GET", "/a/./b"), ("GET", "/a/."),
        ("GET", "/a/%2e%2e/b"), ("GET", "/a/.%2E/b"), ("GET", "/a/%2E"), ("GET", "/a%2fb"), ("GET", "/a%2Fb"),
        ("GET", "/a%5cb"), ("GET", "/a%5C..%5Cb"), ("GET", "/a\\b"), ("GET", "/\\other.example"), ("GET", "//"),
        ("GET", "//other.example/a"), ("GET", "/a//b"), ("GET", "/a/..;/b"), ("GET", "/a/..;x=y/b"),
        ("GET", "/a/%2e%2e;x/b"), ("GET", "/a/.;/b"), ("GET", "/a#b"), ("GET", "/a?b#c"), ("GET", "/a%"),
        ("GET", "/a%4"), ("GET", "/a%zz"), ("GET", "/a%00"), ("GET", "/a%0d%0aX:%20y"), ("GET", "/a%7f"),
        ("GET", "/\u{e4}"), ("GET", "/a?\u{e4}"), ("GET", "/\u{2025}/b"), ("GET", "http://"), ("GET", "http:///a"),
        ("GET", "http:/a"), ("GET", "http://other.example/a/../b"), ("GET", "http://user@other.example/a"),
        ("GET", "http://other.example#/a"), ("GET", "http://other.example:x/a"), ("GET", "http://a..b/a"),
        ("GET", "ftp://other.example/a"), ("GET", "file:///etc/passwd"),
    ]

    @Test func targetsThatCanBeReadInTwoWaysAreRefused() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            for (method, target) in Self.ambiguousTargets {
                let answer = try await gateway.ask(.request("\(method) \(target)"))
                #expect(answer.status == 400 && answer.code == "bad-request", "\(target): \(answer.text)")
                gateway.expectsNothingAtUpstream(target)
                try await gateway.expectsService(target)
            }
        }
    }

    @Test(arguments: [
        ("/", "/", "api.example"), ("/a;x=1/b", "/a;x=1/b", "api.example"), ("/a/...", "/a/...", "api.example"),
        ("/a?x=../..&y=//z", "/a?x=../..&y=//z", "api.example"), ("/a/", "/a/", "api.example"),
        ("/a?", "/a?", "api.example"), ("/%61%e4%2B", "/%61%e4%2B", "api.example"),
        ("/a?http://other.example", "/a?http://other.example", "api.example"),
        ("http://other.example/a?b", "/a?b", "other.example"), ("HTTP://other.example", "/", "other.example"),
        ("http://other.example:81?b", "/?b", "other.example:81"), ("https://[::1]:1/a", "/a", "[::1]:1"),
    ])
    func whatIsPassedOnIsWhatWasAskedFor(target: String, passed: String, host: String) async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let answer = try await gateway.ask(.request("GET \(target)"))
            #expect(answer.status == 200, "\(target): \(answer.text)")
            #expect(upstream.received == .forwarded("GET \(passed)", host: host))
        }
    }

    @Test func aLongTargetPassesUpToTheLimitOfTheHead() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let target = "/" + String(repeating: "a", count: 20_000)
            let answer = try await gateway.ask(.request("GET \(target)"))
            #expect(answer.status == 200)
            #expect(upstream.received == .forwarded("GET \(target)"))
        }
    }

    private static let largeHeads: [(String, String)] = [
        ("a target", "GET /\(String(repeating: "a", count: 40_000)) HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("an endless target", "GET /\(String(repeating: "a", count: 40_000))"),
        ("101 fields", "GET /a HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X: y\r\n", count: 100))\r\n"),
        ("10,000 fields", "GET /a HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X: y\r\n", count: 10_000))\r\n"),
        ("many bytes", "GET /a HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X: \(Self.longValue)\r\n", count: 40))\r\n"),
        ("a field of 1 MB", "GET /a HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "y", count: 1 << 20))\r\n\r\n"),
        ("a name of 1 MB", "GET /a HTTP/1.1\r\nHost: a\r\n\(String(repeating: "y", count: 1 << 20)): z\r\n\r\n"),
        ("no end", "GET /a HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X: y\r\n", count: 10_000))"),
    ]

    @Test func headsThatAreTooLargeAreRefused() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            for (what, request) in Self.largeHeads {
                let answer = try await gateway.ask(request)
                #expect(answer.status == 431 && answer.code == "headers-too-large", "\(what): \(answer.text)")
                gateway.expectsNothingAtUpstream(what)
                try await gateway.expectsService(what)
            }
        }
    }

    private static let longValue = String(repeating: "y", count: 1000)

    @Test func fieldsAreCountedApartFromBytes() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(
            routes: openRoute, upstream: upstream, settings: ["TOLLGATE_HEADER_LIMIT_BYTES": "1048576"]
        ) { gateway in
            let many = String(repeating: "X: y\r\n", count: 10_000)
            let refused = try await gateway.ask(.request(fields: many))
            #expect(refused.status == 431)
            gateway.expectsNothingAtUpstream("10,000 fields")
            let large = "X: \(String(repeating: "y", count: 1_000_000))\r\n"
            let passed = try await gateway.ask(.request(fields: large))
            #expect(passed.status == 200)
            #expect(upstream.received == .forwarded(passed: large))
        }
    }

    @Test func aRouteMayTakeLessOfAHead() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        let routes = "- {name: small, path: /, auth: none, limits: {head: 1KB}, upstreams: \"{upstream}\"}"
        try await withRoutedGateway(routes: routes, upstream: upstream) { gateway in
            let answer = try await gateway.ask(.request(fields: "X: \(Self.longValue)\r\n"))
            #expect(answer.status == 431 && answer.code == "headers-too-large")
            gateway.expectsNothingAtUpstream("1 KB")
            let small = try await gateway.ask(.request())
            #expect(small.status == 200)
        }
    }
}
