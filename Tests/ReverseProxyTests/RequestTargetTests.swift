import ReverseProxy
import Testing

/// What is routed is what the upstream will understand.
@Suite struct RequestTargetTests {
    @Test(arguments: [
        ("/", "/", "/", ""),
        ("/a/b?x=1&y=/../%2e", "/a/b", "/a/b", "?x=1&y=/../%2e"),
        ("/%61dmin//x", "/%61dmin//x", "/admin/x", ""),
        ("/caf%c3%a9", "/caf%c3%a9", "/caf%C3%A9", ""),
        ("/.well-known/x", "/.well-known/x", "/.well-known/x", ""),
        ("/a/...", "/a/...", "/a/...", ""),
        ("http://api.example:8080/a?b", "/a", "/a", "?b"),
        ("HTTPS://api.example", "/", "/", ""),
        ("http://api.example?b", "/", "/", "?b"),
    ])
    func takes(raw: String, path: String, matchPath: String, query: String) throws {
        let target = try RequestTarget(raw)
        #expect(target.path == path)
        #expect(target.matchPath == matchPath)
        #expect(target.query == query)
    }

    @Test(arguments: [
        ("api.example:443", RequestTarget.Problem.form), ("*", .form), ("", .form), ("ftp://x/", .form),
        ("http://user@host/", .form), ("http:///x", .form),
        ("/a/../b", .dotSegment), ("/..", .dotSegment), ("/a/./b", .dotSegment), ("/a/%2e%2E/b", .dotSegment),
        ("/a/.%2e", .dotSegment), ("/a/..;x=1/b", .dotSegment), ("/.", .dotSegment),
        ("/a%2fb", .encodedSeparator), ("/a%5Cb", .encodedSeparator), ("/..%2fb", .dotSegment),
        ("/a\\b", .forbiddenByte), ("/a b", .forbiddenByte), ("/a#b", .forbiddenByte), ("/a%00", .forbiddenByte),
        ("/a?b c", .forbiddenByte), ("/a\u{7f}", .forbiddenByte), ("/a%", .brokenEscape), ("/a%2", .brokenEscape),
        ("/a%zz", .brokenEscape),
    ])
    func refuses(raw: String, problem: RequestTarget.Problem) {
        #expect(throws: RequestTarget.Problem.self) { try RequestTarget(raw) }
        do { _ = try RequestTarget(raw) } catch {
            // An encoded slash is found before the dots around it.
            #expect(error == problem || (raw == "/..%2fb" && error == .encodedSeparator), "\(raw): \(error)")
        }
    }

    @Test func longTargetsAreRefused() {
        #expect(throws: RequestTarget.Problem.tooLong) {
            try RequestTarget("/" + String(repeating: "a", count: RequestTarget.maximumBytes))
        }
    }

    @Test func encodedSlashesMayBeKeptButHideNoDots() throws {
        let target = try RequestTarget("/@scope%2fname", keepsEncodedSlashes: true)
        #expect(target.uri() == "/@scope%2fname")
        #expect(target.matchPath == "/%40scope%2Fname".replacing("%40", with: "@"))
        for raw in ["/a/..%2fb", "/a%2f..", "/a%2f%2e%2e%5cb"] {
            #expect(throws: RequestTarget.Problem.dotSegment) { try RequestTarget(raw, keepsEncodedSlashes: true) }
        }
    }

    @Test(arguments: [
        ("/api/users?x", "/api", "/users?x"), ("/api", "/api/", "/"), ("/api?x", "/api", "/?x"),
        ("/apiary", "/api", "/apiary"), ("/%61pi/users", "/api", "/users"), ("/x", "", "/x"), ("/x", "/", "/x"),
    ])
    func stripsPrefixes(raw: String, prefix: String, uri: String) throws {
        #expect(try RequestTarget(raw).uri(strippingPrefix: prefix) == uri)
    }
}
