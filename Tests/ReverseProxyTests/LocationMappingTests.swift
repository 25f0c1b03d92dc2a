import Testing

@testable import ReverseProxy

/// Where an upstream sends a client is where the client arrives.
@Suite struct LocationMappingTests {
    private static let mapping = LocationMapping(
        prefix: "/py", toldPrefix: "/outer/py", clientAuthorities: ["api.example"],
        upstreamAuthorities: ["10.0.0.7:3000", "inner.example"])

    @Test(arguments: [
        // Its own path.
        ("/dir/", "/py/dir/"), ("/", "/py/"), ("/dir?a=/b#c", "/py/dir?a=/b#c"), ("/pyx", "/py/pyx"),
        // Its own host, under whatever name.
        ("http://10.0.0.7:3000/dir", "/py/dir"), ("HTTP://Inner.example", "/py/"), ("//10.0.0.7:3000/x", "/py/x"),
        ("http://inner.example:80/x", "/py/x"), ("https://inner.example:443?q", "/py/?q"),
        // The host that the client asked for: how it was asked for stays.
        ("http://api.example/dir", "http://api.example/py/dir"),
        ("https://API.example:443", "https://API.example:443/py/"),
        ("//api.example/dir", "//api.example/py/dir"),
    ])
    func ownPlacesAreLedBack(location: String, mapped: String) {
        #expect(Self.mapping.map(location) == mapped)
    }

    @Test(arguments: [
        // An upstream that knows what was left out.
        "/py", "/py/dir", "/py?x", "/outer/py/dir", "http://api.example/py/dir", "https://api.example/outer/py#f",
        // Other hosts, relative references, other schemes, and what is none of these.
        "http://other.example/dir", "//other.example/x", "https://10.0.0.7/dir", "http://10.0.0.7:3001/", "dir/",
        "../x",
        "?q", "#f", "", "mailto:a@b.example", "javascript:alert(1)", "http://", "http:///x", "/caf\u{e9}",
        "http://10.0.0.7:3000@evil.example/", "ftp://10.0.0.7:3000/",
    ])
    func everythingElseStays(location: String) {
        #expect(Self.mapping.map(location) == nil)
    }

    @Test func withoutAPrefixOnlyAForeignNameIsLedBack() {
        let mapping = LocationMapping(
            prefix: "", toldPrefix: "", clientAuthorities: ["api.example"], upstreamAuthorities: ["10.0.0.7:3000"])
        #expect(mapping.map("/dir") == nil && mapping.map("http://api.example/dir") == nil)
        #expect(mapping.map("http://10.0.0.7:3000/dir") == "/dir")
        for path in ["//evil.example", "/\\evil.example", "/\t/evil.example", "/ /evil.example"] {
            #expect(mapping.map("http://10.0.0.7:3000\(path)") == nil, "\(path) would be read as a host")
        }
    }
}
