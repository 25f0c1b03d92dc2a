import Testing
import TollgateCore

@Suite struct RequestTargetTests {
    /// A target and the path that routes are compared with.
    @Test(arguments: [
        ("/", "/"), ("/a/b", "/a/b"), ("/a/b/?c=d", "/a/b/"), ("/?", "/"), ("/a?b/../c", "/a"), ("/%61%2Db", "/a-b"),
        ("/%e4%C3", "/%E4%C3"), ("/a%20b", "/a%20b"), ("/...", "/..."), ("/.a/..b", "/.a/..b"), ("/a;b=.", "/a"),
        ("/a%3Bb", "/a"), ("/a%3bb/c", "/a/c"), ("/a;x=%2e.;y/b;z?c;d", "/a/b"), ("/a;", "/a"), ("/a/b;/", "/a/b/"),
        ("/a%20", "/a%20"), ("/A", "/A"), ("/a.", "/a."),
        ("/%25%32%65", "/%252e"), ("/a:b@c", "/a:b@c"), ("/%7euser", "/~user"),
    ])
    func pathIsNormalized(text: String, normalPath: String) throws {
        let target = try RequestTarget(text)
        #expect(target.normalPath == normalPath)
        #expect(target.path + (target.query.map { "?" + $0 } ?? "") == text)
    }

    @Test(arguments: [
        ("", RequestTarget.Problem.noSlash), ("*", .noSlash), ("a/b", .noSlash), ("http://a/b", .noSlash),
        ("/a b", .badCharacter), ("/a\tb", .badCharacter), ("/a\u{7F}", .badCharacter), ("/ä", .badCharacter),
        ("/a\r\nb", .badCharacter), ("/a?b c", .badCharacter), ("/a#b", .fragment), ("/a?b#c", .fragment),
        ("/a\\b", .backslash), ("/%", .badEscape), ("/%a", .badEscape), ("/%a/", .badEscape), ("/%zz", .badEscape),
        ("/a%2Fb", .encodedSeparator), ("/a%2fb", .encodedSeparator), ("/a%5Cb", .encodedSeparator),
        ("/a%00", .encodedSeparator), ("/a%0d%0ab", .encodedSeparator), ("/.", .dotSegment), ("/..", .dotSegment),
        ("/a/./b", .dotSegment), ("/a/../b", .dotSegment), ("/a/..", .dotSegment), ("/a/..?b", .dotSegment),
        ("/%2e%2E/a", .dotSegment), ("/.%2e", .dotSegment), ("/a/..;/b", .dotSegment), ("/a/.;x", .dotSegment),
        ("//a", .emptySegment), ("/a//b", .emptySegment), ("/a//", .emptySegment),
        ("/;x", .emptySegment), ("/;/a", .emptySegment), ("/a/;/b", .emptySegment), ("/a/;x=1", .emptySegment),
        ("/%3Bx/a", .emptySegment), ("/..%3Bx/a", .dotSegment), ("/a;x%2Fb", .encodedSeparator),
    ])
    func ambiguousTargetsAreRefused(text: String, problem: RequestTarget.Problem) {
        #expect(throws: problem) { try RequestTarget(text) }
    }

    /// An odd target and everything that servers take it for.
    @Test(arguments: [
        ("/a%2Fb", ["/a%2Fb", "/a/b"]), ("/a%2fb?c%2Fd", ["/a%2Fb", "/a/b"]), ("/a//b", ["/a//b", "/a/b"]),
        ("/a///b/", ["/a///b/", "/a/b/"]), ("/a/%2Fb", ["/a/%2Fb", "/a//b", "/a/%2Fb", "/a/b"]),
        ("/a;x//b%2Fc;y", ["/a//b%2Fc", "/a//b/c", "/a/b%2Fc", "/a/b/c"]), ("/a", ["/a"]),
    ])
    func oddTargetsHaveSeveralReadings(text: String, readings: [String]) throws {
        let target = try RequestTarget(tolerant: text)
        #expect(target.readings == readings)
        #expect((target.oddity == nil) == (readings.count == 1))
        #expect(target.text == text)
    }

    /// By no reading of an odd target a segment is `..`, or the first one empty.
    @Test(arguments: [
        "//a", "/%2Fa", "/a%2F..%2Fb", "/a%2F..", "/..%2Fa", "/a/%2e%2e%2fb", "/a//../b", "/a%2F.", "/a;x%2F..%2Fb",
        "/a//;x", "/a%2F;x", "/a%5Cb", "/a%2F%00",
    ])
    func whatLeadsElsewhereIsNeverTolerated(text: String) {
        #expect(throws: RequestTarget.Problem.self) { try RequestTarget(tolerant: text) }
    }

    @Test(arguments: [
        ("/api/x?y", "/api", "/x?y"), ("/api", "/api", "/"), ("/api?y", "/api", "/?y"), ("/api/", "/api", "/"),
        ("/x", "", "/x"), ("/%61pi/x", "/api", "/x"), ("/api;v=1/x;y", "/api", "/x;y"), ("/api;v=1?y", "/api", "/?y"),
        ("/a%3bx/b/c", "/a/b", "/c"),
    ])
    func prefixIsStripped(text: String, prefix: String, expected: String) throws {
        #expect(try RequestTarget(text).stripping(prefix[...]) == expected)
    }
}
