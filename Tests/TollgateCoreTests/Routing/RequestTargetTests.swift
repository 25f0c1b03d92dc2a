import Testing
import TollgateCore

@Suite struct RequestTargetTests {
    /// A target and the path that routes are compared with.
    @Test(arguments: [
        ("/", "/"), ("/a/b", "/a/b"), ("/a/b/?c=d", "/a/b/"), ("/?", "/"), ("/a?b/../c", "/a"), ("/%61%2Db", "/a-b"),
        ("/%e4%C3", "/%E4%C3"), ("/a%20b", "/a%20b"), ("/...", "/..."), ("/.a/..b", "/.a/..b"), ("/a;b=.", "/a;b=."),
        ("/a%3Bb", "/a%3Bb"), ("/%25%32%65", "/%252e"), ("/a:b@c", "/a:b@c"), ("/%7euser", "/~user"),
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
    ])
    func ambiguousTargetsAreRefused(text: String, problem: RequestTarget.Problem) {
        #expect(throws: problem) { try RequestTarget(text) }
    }

    @Test(arguments: [
        ("/api/x?y", "/api", "/x?y"), ("/api", "/api", "/"), ("/api?y", "/api", "/?y"), ("/api/", "/api", "/"),
        ("/x", "", "/x"), ("/%61pi/x", "/api", "/%61pi/x"),
    ])
    func prefixIsStripped(text: String, prefix: String, expected: String) throws {
        #expect(try RequestTarget(text).stripping(prefix[...]) == expected)
    }
}
