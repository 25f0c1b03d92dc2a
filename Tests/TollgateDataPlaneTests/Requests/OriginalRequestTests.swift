import HTTPWire
import NIOCore
import Testing
import TollgateDataPlane

/// What each proxy sends, as captured from the real program; of Envoy and ingress-nginx, by their sources.
@Suite struct OriginalRequestTests {
    private static let inForwardedFields = [
        "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: api.example.com", "X-Forwarded-Method: POST",
        "X-Forwarded-Proto: https", "X-Forwarded-Uri: /orders/1?q=1",
    ]
    private static let inOriginalFields = [
        "X-Original-Method: POST", "X-Original-URI: /orders/1?q=1", "X-Original-Host: api.example.com",
    ]
    private static let inURL = [
        "X-Original-URL: https://api.example.com/orders/1?q=1", "X-Original-Method: POST",
        "X-Sent-From: nginx-ingress-controller", "X-Auth-Request-Redirect: /orders/1?q=1",
    ]

    private func original(
        asking request: String = "GET /authorize", host: String = "tollgate:8080", _ fields: [String]
    ) throws -> OriginalRequest {
        let lines = ["\(request) HTTP/1.1", "Host: \(host)"] + fields + ["", ""]
        let head = try RequestHead(parsing: ByteBuffer(string: lines.joined(separator: "\r\n")))
        return try OriginalRequest(head, text: head.target, host: host)
    }

    private func refusal(
        asking request: String = "GET /authorize", host: String = "tollgate:8080", _ fields: [String]
    ) -> String? {
        do {
            _ = try original(asking: request, host: host, fields)
            return nil
        } catch {
            return (error as? APIError)?.message
        }
    }

    @Test(arguments: [
        ("GET /authorize", "tollgate", inOriginalFields), ("GET /authorize", "tollgate:8080", inURL),
        ("GET /authorize?q=1", "api.example.com", inForwardedFields),
        ("GET /authorize", "127.0.0.1:8080", inForwardedFields),
        (
            "GET /authorize", "127.0.0.1:8080",
            inForwardedFields + ["X-Forwarded-Port: 443", "X-Forwarded-Server: host", "X-Real-Ip: 192.0.2.1"]
        ),
        ("POST /authorize/orders/1?q=1", "api.example.com", ["Content-Length: 0", "X-Forwarded-For: 192.0.2.1"]),
    ])
    func everyProxyIsUnderstood(request: String, host: String, fields: [String]) throws {
        let found = try original(asking: request, host: host, fields)
        #expect(found.method == "POST")
        #expect(found.uri == "/orders/1?q=1")
        #expect(found.host == "api.example.com")
        #expect(found.tellsMethod)
    }

    @Test(arguments: [
        (inForwardedFields, "X-Original-URI: /cheap", "path"), (inForwardedFields, "X-Original-Method: GET", "method"),
        (inForwardedFields, "X-Original-Host: other.example.com", "host"),
        (inForwardedFields, "x-original-url: https://api.example.com/cheap", "path"),
        (inOriginalFields, "X-Forwarded-Uri: /cheap", "path"), (inOriginalFields, "X-Forwarded-Method: GET", "method"),
        (inURL, "X-Original-URI: /cheap", "path"), (inURL, "X-Original-Host: other.example.com", "host"),
        (inOriginalFields, "X-Original-URI: /cheap", "path"),
    ])
    func whatAClientAddsIsNotBelieved(fields: [String], added: String, name: String) {
        for fields in [fields + [added], [added] + fields] {
            #expect(refusal(fields)?.contains("different values for the \(name) of") == true, "\(fields)")
        }
    }

    @Test(arguments: [
        ("X-Forwarded-Host", "gw.example", "cheap.example", "host"), ("X-Forwarded-Uri", "/admin", "/cheap", "path"),
        ("X-Forwarded-Method", "POST", "GET", "method"), ("X-Original-URI", "/admin", "/cheap", "path"),
        ("X-Original-URL", "http://gw/admin", "http://gw/cheap", "path"),
        ("X-Original-URL", "http://gw/admin", "http://cheap/admin", "host"),
        ("X-Original-Method", "POST", "GET", "method"), ("X-Original-Host", "gw.example", "cheap.example", "host"),
    ])
    func oneFieldTwiceAndNotAlikeIsRefused(name: String, one: String, other: String, what: String) throws {
        for (first, second) in [(one, other), (other, one)] {
            for others in [[], Self.inForwardedFields.filter { !$0.hasPrefix(name) && name.hasPrefix("X-Forwarded") }] {
                let message = refusal(others + ["\(name): \(first)", "\(name): \(second)"])
                #expect(message?.contains("different values for the \(what) of") == true, "\(name)")
            }
        }
        #expect(refusal(["\(name): \(one)", "\(name): \(one)"]) == nil, "twice alike")
    }

    /// A field that the gateway does not believe, and that an API may: nothing is said about such a request.
    @Test(arguments: [
        "X_Forwarded_Host", "X-Forwarded_Host", "X.Forwarded.Host", "X_Forwarded_Uri", "X_Original_URI",
        "X_Original_URL",
        "X_Tollgate_User", "X.Tollgate.User", "X_Forwarded_For", "X_API_Key", "X_Real_IP",
    ])
    func anotherSpellingIsRefusedByName(name: String) {
        for fields in [Self.inForwardedFields, Self.inOriginalFields, []] {
            #expect(refusal(fields + ["\(name): cheap.example"])?.contains("The field \(name) reads like") == true)
            #expect(refusal(["\(name): cheap.example"] + fields)?.contains("The field \(name) reads like") == true)
        }
    }

    @Test(arguments: [
        ("/admin?x=://gw/cheap", "/admin?x=://gw/cheap", "tollgate:8080"),
        ("/admin#://gw/cheap", "/admin#://gw/cheap", "tollgate:8080"),
        ("/://gw/cheap", "/://gw/cheap", "tollgate:8080"),
        ("http://gw/admin?x=://a/cheap", "/admin?x=://a/cheap", "gw"),
        ("HTTPS://Gw:8443/admin", "/admin", "gw:8443"), ("http://gw", "/", "gw"),
        ("http://gw?x=/cheap", "/?x=/cheap", "gw"),
        // None that a proxy writes: the path is refused for what it is.
        ("x://gw/cheap", "x://gw/cheap", "tollgate:8080"), ("://gw/cheap", "://gw/cheap", "tollgate:8080"),
    ])
    func aSchemeStandsOnlyAtTheBeginning(url: String, uri: String, host: String) throws {
        let found = try original(["X-Original-URL: \(url)", "X-Original-Method: GET"])
        #expect(found.uri == uri && found.host == host)
    }

    @Test func envoyIsNotContradictedEither() throws {
        let added = ["X-Original-URI: /cheap", "X-Forwarded-Uri: /cheap", "X-Original-Method: GET"]
        for field in added {
            #expect(refusal(asking: "POST /authorize/orders", host: "api.example.com", [field]) != nil, "\(field)")
        }
        let found = try original(asking: "POST /authorize/orders", host: "api.example.com", ["X-Forwarded-Host: other"])
        #expect(found.host == "api.example.com")
    }

    @Test func whatIsToldTwiceAlikeIsFine() throws {
        let found = try original(Self.inForwardedFields + Self.inOriginalFields + Self.inURL)
        #expect(found.uri == "/orders/1?q=1")
    }

    @Test func anEarlierProxysHostDoesNotMatter() throws {
        let found = try original(Self.inOriginalFields + ["X-Forwarded-Host: cdn.example.com"])
        #expect(found.host == "api.example.com")
        let only = try original(["X-Original-URI: /orders", "X-Forwarded-Host: api.example.com"])
        #expect(only.host == "api.example.com")
    }

    @Test func aProxyMaySayNothing() throws {
        let found = try original([])
        #expect(found.uri == nil)
        #expect(found.method == "GET")
        #expect(found.host == "tollgate:8080")
        #expect(!found.tellsMethod)
        let withoutMethod = try original(["X-Original-URI: /orders"])
        #expect(withoutMethod.uri == "/orders")
        #expect(!withoutMethod.tellsMethod)
    }
}
