import HTTPWire
import NIOCore
import Testing

@testable import ReverseProxy

/// Which fields pass, which do not, and which are ours.
@Suite struct HeaderTests {
    private typealias Fields = KeyValuePairs<String, String>

    /// What the upstream gets of a request with `fields`.
    private func upstreamHead(
        _ fields: Fields, method: String = "GET", route: ProxyRoute = ProxyRoute(),
        client: ClientConnection = ClientConnection(address: "192.0.2.7"),
        identity: CallerIdentity = CallerIdentity(), requestID: String? = nil, withheld: WithheldFields = []
    ) throws -> Sent {
        let head = try RequestHead(parsing: ByteBuffer(string: Self.text("\(method) / HTTP/1.1", fields)))
        let request = ProxyRequest(
            head: head, uri: "/", host: try head.host() ?? "", client: client, identity: identity,
            requestID: requestID, withheld: withheld)
        return try Sent(UpstreamRequest(request, route: route).head(hostHeader: nil))
    }

    private static func text(_ startLine: String, _ fields: Fields) -> String {
        startLine + "\r\n" + fields.map { "\($0): \($1)\r\n" }.joined() + "\r\n"
    }

    /// A head, field by field.
    private struct Sent {
        let fields: [(name: String, value: String)]

        init(_ bytes: ByteBuffer) {
            fields = String(buffer: bytes).split(separator: "\r\n").dropFirst().map { line in
                let parts = line.split(separator: ": ", maxSplits: 1, omittingEmptySubsequences: false)
                return (String(parts[0]), String(parts[1]))
            }
        }

        var names: [String] { fields.map(\.name) }

        subscript(name: String) -> [String] {
            fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
        }
    }

    @Test func hopByHopFieldsDoNotPass() throws {
        let head = try upstreamHead([
            "Host": "api.example", "Connection": "keep-alive, X-Secret , close", "X-Secret": "1", "Keep-Alive": "5",
            "Proxy-Connection": "x", "Proxy-Authorization": "x", "Proxy-Authenticate": "x", "Upgrade": "h2c",
            "TE": "gzip", "Proxy": "evil", "Accept": "*/*", "traceparent": "00-1-2-01", "Authorization": "Bearer x",
        ])
        let names = Set(head.names.map { $0.lowercased() })
        #expect(
            names == [
                "host", "accept", "traceparent", "authorization", "x-forwarded-for", "x-forwarded-proto",
                "x-forwarded-host", "forwarded", "via",
            ])
    }

    @Test func aClientCannotHaveOurFieldsRemoved() throws {
        let head = try upstreamHead(
            [
                "Host": "a", "Connection": "X-Forwarded-For, X-Tollgate-User, Host, Content-Length",
                "Content-Length": "3",
            ], identity: CallerIdentity(user: "user_1"))
        #expect(head["X-Tollgate-User"] == ["user_1"])
        #expect(head["Host"] == ["a"] && head["Content-Length"] == ["3"])
        #expect(head["X-Forwarded-For"] == ["192.0.2.7"])
    }

    @Test func identityIsOursAlone() throws {
        let identity = CallerIdentity(user: "user_1", platform: "plt_1", plan: "pro", keyID: "key\r\nX-Evil: 1")
        let head = try upstreamHead(
            [
                "Host": "a", "X-Tollgate-User": "admin", "x_tollgate_user": "admin", "X-TOLLGATE-Plan": "max",
                "X_Tollgate-Key_Id": "k", "X-Tollgate-Anything": "x",
            ], identity: identity)
        let ours = head.fields.filter { $0.name.lowercased().hasPrefix("x-toll") || $0.name.hasPrefix("x_") }
        #expect(ours.map(\.name) == ["X-Tollgate-User", "X-Tollgate-Platform", "X-Tollgate-Plan", "X-Tollgate-Key-Id"])
        #expect(ours.map(\.value) == ["user_1", "plt_1", "pro", "key??X-Evil: 1"])
    }

    @Test func whatAClientSaysAboutItselfIsNotBelieved() throws {
        let fields: Fields = [
            "Host": "api.example:8080", "X-Forwarded-For": "1.1.1.1", "X_Forwarded_For": "1.1.1.1",
            "Forwarded": "for=1.1.1.1", "X-Forwarded-Proto": "https", "X-Real-IP": "1.1.1.1",
            "X-Forwarded-Host": "evil",
        ]
        let head = try upstreamHead(fields, client: ClientConnection(address: "2001:db8::1"))
        #expect(head["X-Forwarded-For"] == ["2001:db8::1"] && head["X-Forwarded-Proto"] == ["http"])
        #expect(head["X-Forwarded-Host"] == ["api.example:8080"] && head["X-Real-IP"] == [])
        #expect(head["Forwarded"] == [#"for="[2001:db8::1]";host="api.example:8080";proto=http"#])
        #expect(!head.fields.contains { $0.value == "1.1.1.1" })
    }

    @Test func whatATrustedProxySaysIsAddedTo() throws {
        let fields: Fields = [
            "Host": "inner", "X-Forwarded-For": "1.1.1.1, 2.2.2.2", "Forwarded": "for=1.1.1.1;proto=https",
            "X-Forwarded-Proto": "https", "X-Forwarded-Host": "api.example",
        ]
        let head = try upstreamHead(fields, client: ClientConnection(address: "10.0.0.1", isTrustedProxy: true))
        #expect(head["X-Forwarded-For"] == ["1.1.1.1, 2.2.2.2, 10.0.0.1"])
        #expect(head["X-Forwarded-Proto"] == ["https"] && head["X-Forwarded-Host"] == ["api.example"])
        #expect(head["Forwarded"] == [#"for=1.1.1.1;proto=https, for=10.0.0.1;host="inner";proto=http"#])
    }

    /// CGI, WSGI and others read every one of these as a field of ours.
    @Test(arguments: [false, true])
    func misspeltNamesPassFromNobody(isTrusted: Bool) throws {
        let fields: Fields = [
            "Host": "a", "X_Forwarded_For": "evil", "X.Forwarded.For": "evil", "X-Forwarded_Host": "evil",
            "X_Forwarded_Prefix": "evil", "X_Tollgate_User": "evil", "X.Tollgate.User": "evil", "X_API_Key": "evil",
            "X_Real_IP": "evil", "X_Original_URL": "evil", "X_Request_Id": "evil", "Idempotency_Key": "evil",
            "X~Tollgate~User": "evil", "X_Rewrite_URL": "evil", "Proxy_Authorization": "evil", "X_Custom": "fine",
        ]
        let client = ClientConnection(address: "192.0.2.7", isTrustedProxy: isTrusted)
        let head = try upstreamHead(fields, client: client)
        #expect(!head.fields.contains { $0.value.contains("evil") }, "\(head.fields)")
        #expect(head["X_Custom"] == ["fine"] && head["X-Forwarded-For"] == ["192.0.2.7"])
    }

    @Test func whatOnlyProxiesSayPassesFromTrustedOnesAlone() throws {
        let fields: Fields = [
            "Host": "a", "X-Forwarded-Port": "8443", "X-Forwarded-Prefix": "/outer", "X-Real-IP": "203.0.113.9",
            "X-Original-URL": "/admin", "X-Rewrite-URL": "/admin", "X-Forwarded-Uri": "/admin",
        ]
        let fromClient = try upstreamHead(fields)
        for name in fields.map(\.key).dropFirst() { #expect(fromClient[name].isEmpty, "\(name)") }
        let proxy = ClientConnection(address: "10.0.0.1", isTrustedProxy: true)
        let trusted = try upstreamHead(fields, client: proxy)
        #expect(trusted["X-Forwarded-Port"] == ["8443"] && trusted["X-Real-IP"] == ["203.0.113.9"])
        #expect(trusted["X-Forwarded-Prefix"] == ["/outer"])
        for name in ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri"] { #expect(trusted[name].isEmpty) }
        let stripping = ProxyRoute(strippedPrefix: "/inner")
        #expect(try upstreamHead(fields, route: stripping)["X-Forwarded-Prefix"] == ["/inner"])
        for told in ["/outer", "/outer/", " /outer "] {
            let both = try upstreamHead(
                ["Host": "a", "X-Forwarded-Prefix": told], route: stripping, client: proxy)
            #expect(both["X-Forwarded-Prefix"] == ["/outer/inner"], "\(told)")
        }
        let list = try upstreamHead(["Host": "a", "X-Forwarded-Prefix": "/a, /b"], route: stripping, client: proxy)
        #expect(list["X-Forwarded-Prefix"] == ["/a/b/inner"])
    }

    /// Whatever the proxy before us writes, both fields begin with the same client.
    @Test func forwardedAndXForwardedForNameTheSameClient() throws {
        let proxy = ClientConnection(address: "10.0.0.1", isTrustedProxy: true)
        let ours = #"for=10.0.0.1;host="a";proto=http"#
        let cases: [(Fields, list: String, elements: String)] = [
            (["X-Forwarded-For": "203.0.113.9"], "203.0.113.9", "for=203.0.113.9"),
            (["X-Forwarded-For": "203.0.113.9:51000"], "203.0.113.9:51000", #"for="203.0.113.9:51000""#),
            (
                ["X-Forwarded-For": "2001:db8::9 ,[::1]:80"], "2001:db8::9, [::1]:80",
                #"for="[2001:db8::9]", for="[::1]:80""#
            ),
            (["X-Forwarded-For": #"unknown, a"b"#], #"unknown, a"b"#, "for=unknown, for=unknown"),
            (
                ["Forwarded": #"For="[2001:DB8::9]:4711";proto=https, for=_x"#], "[2001:DB8::9]:4711, _x",
                #"For="[2001:DB8::9]:4711";proto=https, for=_x"#
            ),
            // Alike: what else the elements tell is kept.
            (
                ["X-Forwarded-For": "203.0.113.9", "Forwarded": #"for="203.0.113.9:1";proto=https;by="a,b""#],
                "203.0.113.9",
                #"for="203.0.113.9:1";proto=https;by="a,b""#
            ),
            // A client's word in the field that the proxy does not write.
            (["X-Forwarded-For": "203.0.113.9", "Forwarded": "for=6.6.6.6"], "203.0.113.9", "for=203.0.113.9"),
            (["Forwarded": "proto=https"], "unknown", "proto=https"),
        ]
        for (fields, list, elements) in cases {
            let lines = fields.map { "\($0): \($1)\r\n" }.joined()
            let received = try RequestHead(parsing: ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n"))
            let request = ProxyRequest(head: received, uri: "/", host: "a", client: proxy)
            let head = Sent(try UpstreamRequest(request, route: ProxyRoute()).head(hostHeader: nil))
            #expect(head["X-Forwarded-For"] == [list + ", 10.0.0.1"], "\(fields)")
            #expect(head["Forwarded"] == ["\(elements), \(ours)"], "\(fields)")
        }
    }

    @Test func proxiesOnTheWayAreListed() throws {
        let head = try upstreamHead(["Host": "a", "Via": "1.1 edge, 2 inner"])
        #expect(head["Via"] == ["1.1 edge, 2 inner", "1.1 tollgate"])
        let named = try upstreamHead(["Host": "a", "Via": "1.1 edge", "Connection": "Via"])
        #expect(named["Via"] == ["1.1 edge", "1.1 tollgate"], "a client cannot hide the way")
        #expect(try answer(["Via": "1.0 cache"])["Via"] == ["1.0 cache", "1.1 tollgate"])
        #expect(
            try upstreamHead(["Host": "a"], route: ProxyRoute(requestRules: HeaderRules(remove: ["via"])))["Via"] == [])
    }

    @Test func aWayThroughTooManyTollgatesIsALoop() throws {
        func showsLoop(_ values: String...) throws -> Bool {
            let fields = values.map { "Via: \($0)\r\n" }.joined()
            return Via.showsLoop(
                try RequestHead(parsing: ByteBuffer(string: "GET / HTTP/1.1\r\n\(fields)\r\n")).fields)
        }
        #expect(try !showsLoop() && !showsLoop("1.1 edge", "1.1 tollgate", "1.1 tollgate"))
        #expect(try !showsLoop("1.1 a, 1.1 b, 1.1 c, 1.1 d, 1.1 e, 1.1 f, 1.1 tollgate.example"))
        #expect(try !showsLoop(Array(repeating: "1.1 tollgate", count: 4).joined(separator: ",")))
        #expect(
            try showsLoop("1.1 Tollgate, 1.0 tollgate", "HTTP/1.1 tollgate (here)", "1.1 x, 1.1 tollgate,1.1 tollgate"))
    }

    @Test func onlyAllowedUpgradesPass() throws {
        let fields: Fields = ["Host": "a", "Connection": "keep-alive, Upgrade", "Upgrade": "h2c, WebSocket"]
        let head = try upstreamHead(fields)
        #expect(head["Upgrade"] == ["websocket"] && head["Connection"] == ["Upgrade"])
        let none = try upstreamHead(fields, route: ProxyRoute(allowedUpgrades: []))
        #expect(none["Upgrade"].isEmpty && none["Connection"].isEmpty)
        let unasked = try upstreamHead(["Host": "a", "Upgrade": "websocket"])
        #expect(unasked["Upgrade"].isEmpty, "Connection does not say so")
    }

    @Test func rulesComeLast() throws {
        let rules = HeaderRules(
            remove: ["authorization", "Host", "Content-Length"],
            set: [HeaderRules.Field(name: "X-Api", value: "1")].compactMap(\.self))
        let head = try upstreamHead(
            ["Host": "a", "Authorization": "Bearer x", "x-api": "0", "X-API": "2"],
            route: ProxyRoute(requestRules: rules), requestID: "r-1")
        #expect(head["Authorization"].isEmpty && head["X-Api"] == ["1"])
        #expect(head["Host"] == ["a"], "a rule cannot touch what routes a message")
        #expect(head["X-Request-Id"] == ["r-1"])
        let folded = HeaderRules(
            remove: ["X_Secret"], set: [HeaderRules.Field(name: "X-Role", value: "guest")].compactMap(\.self))
        let other = try upstreamHead(
            ["Host": "a", "X-Secret": "1", "x.secret": "1", "X_Role": "admin", "X-Role": "admin"],
            route: ProxyRoute(requestRules: folded))
        #expect(other["X-Role"] == ["guest"] && !other.fields.contains { $0.value == "1" || $0.value == "admin" })
        for (name, value) in [("Host", "x"), ("Transfer-Encoding", "x"), ("a b", "x"), ("", "x"), ("A", "x\r\nB: y")] {
            #expect(HeaderRules.Field(name: name, value: value) == nil)
        }
    }

    @Test func connectIsNoRequestForAnUpstream() {
        #expect(throws: RequestProblem.badMethod) { try upstreamHead(["Host": "a"], method: "CONNECT") }
    }

    @Test func whatOpenedTheGatewayStaysThere() throws {
        let head = try upstreamHead(
            ["Host": "a", "X-API-Key": "sk_live_x", "x_api_key": "y", "Authorization": "Bearer z"],
            withheld: .apiKey)
        #expect(head["X-API-Key"].isEmpty && head["x_api_key"].isEmpty && head["Authorization"] == ["Bearer z"])
    }

    @Test func bodiesHaveALimit() {
        #expect(throws: RequestProblem.bodyTooLarge(limitBytes: 9)) {
            try upstreamHead(["Host": "a", "Content-Length": "10"], route: ProxyRoute(maximumRequestBytes: 9))
        }
    }

    private func answer(_ fields: Fields, status: String = "200 OK") throws -> Sent {
        let head = try ResponseHead(
            parsing: ByteBuffer(string: Self.text("HTTP/1.1 \(status)", fields)), isAnswerToHead: false)
        var buffer = ByteBuffer()
        ProxyAnswer(head: head, rules: HeaderRules(), upgrades: []).write(to: &buffer)
        return Sent(buffer)
    }

    @Test func answersLoseTheirHop() throws {
        let sent = try answer([
            "Connection": "close, X-Internal", "X-Internal": "1", "Keep-Alive": "timeout=5",
            "Upgrade": "h2", "Content-Type": "text/plain", "Set-Cookie": "a=1", "Content-Length": "4",
            "Trailer": "X-Sum",
        ])
        #expect(Set(sent.names) == ["Content-Type", "Set-Cookie", "Content-Length", "Trailer", "Via"])
        let chunked = try answer(["Transfer-Encoding": "chunked", "ETag": "x"])
        #expect(chunked.names == ["ETag", "Via"])
        #expect(try answer(["Content-Length": "0"], status: "204 No Content").names == ["Via"])
        #expect(try answer(["Content-Length": "9"], status: "304 Not Modified").names == ["Content-Length", "Via"])
        let twice = try answer(["Content-Length": "9", "content-length": "8"], status: "304 Not Modified")
        #expect(twice.names == ["Via"])
        #expect(try answer(["Link": "</a>"], status: "103 Early Hints").names == ["Link"])
    }

    @Test func trailersCannotChangeTheMessage() throws {
        var bytes = ByteBuffer(
            string: Self.text(
                "0",
                [
                    "X-Sum": "1", "Content-Length": "4", "Transfer-Encoding": "chunked", "Host": "x",
                    "Authorization": "x", "X-Tollgate-User": "x", "X-Forwarded-For": "x", "Set-Cookie": "x",
                    "Grpc-Status": "0", "X-API-Key": "x",
                ]))
        var reader = BodyReader(.chunked)
        guard case .end(let trailers)? = try reader.next(from: &bytes) else {
            Issue.record("no end")
            return
        }
        let passing = trailers.lines.filter { HeaderFilter.passesInTrailers($0, of: trailers) }
        #expect(passing.map { trailers.name(of: $0) } == ["X-Sum", "Grpc-Status"])
    }
}
