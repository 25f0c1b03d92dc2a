import Testing
import TollgateCore

@Suite struct RequestHostTests {
    @Test(arguments: [
        ("example.com", "example.com"), ("EXAMPLE.com", "example.com"), ("example.com.", "example.com"),
        ("example.com:80", "example.com"), ("example.com:", "example.com"), ("A_b-1:65535", "a_b-1"),
        ("127.0.0.1:8080", "127.0.0.1"), ("[::1]", "[::1]"), ("[::1]:80", "[::1]"), ("[2001:DB8::A]", "[2001:db8::a]"),
    ])
    func hostIsNormalized(text: String, name: String) {
        #expect(RequestHost(text)?.name == name)
    }

    @Test(arguments: [
        "", ".", ".a", "a..b", "a b", "a/b", "a@b", "a,b", "a:b", "a:80:80", "a:65536", ":80", "[::1", "[::1]x", "[a]",
        "[1.2.3.4]", "ä.de", "a%20", "a\r\n", String(repeating: "a", count: 255), "[1::2::3]", "[1:2:3:4:5:6:7]",
    ])
    func otherTextIsNoHost(text: String) {
        #expect(RequestHost(text) == nil)
    }

    @Test(arguments: [
        ("*.Example.com", HostPattern.below("example.com")), ("a.example.com", .exactly("a.example.com")),
        ("[::1]", .exactly("[::1]")),
    ])
    func patternIsRead(text: String, pattern: HostPattern) {
        #expect(HostPattern(text) == pattern)
        #expect(HostPattern(pattern.text) == pattern)
    }

    @Test(arguments: ["*", "*.", "a.*", "*.*.com", "a*.com", "a:80", "*.1.2.3", "http://a", ""])
    func otherTextIsNoPattern(text: String) {
        #expect(HostPattern(text) == nil)
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("192.0.2.1:80", "192.0.2.1"), ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:80", "2001:db8::1"), ("::ffff:192.0.2.1", "::ffff:192.0.2.1"), ("::", "::"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
    ])
    func addressIsFound(text: String, address: String) {
        #expect(NetworkAddress.address(in: text[...]) == address[...])
    }

    @Test(arguments: [
        "", "unknown", "1.2.3", "1.2.3.256", "1.2.3.4.5", "1.2.3.4:x", "1.2.3.4:70000", "1:2", ":::", "12345::",
        "[1.2.3.4]", "[::1]80", "1.2.3.4::", "fe80::1%eth0",
    ])
    func otherTextIsNoAddress(text: String) {
        #expect(NetworkAddress.address(in: text[...]) == nil)
    }
}
