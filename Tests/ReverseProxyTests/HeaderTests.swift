import NIOHTTP1
import Testing

@testable import ReverseProxy

/// Which fields pass, which do not, and which are ours.
@Suite struct HeaderTests {
    private func upstreamHead(
        _ fields: HTTPHeaders, method: HTTPMethod = .GET, uri: String = "/", version: HTTPVersion = .http1_1,
        route: ProxyRoute = ProxyRoute(), client: ClientConnection = ClientConnection(address: "192.0.2.7"),
        identity: CallerIdentity = CallerIdentity(), requestID: String? = nil
    ) throws -> HTTPRequestHead {
        let head = HTTPRequestHead(version: version, method: method, uri: uri, headers: fields)
        let request = ProxyRequest(
            head: head, target: try RequestTarget(uri), client: client, identity: identity, requestID: requestID)
        return try UpstreamRequest(request, route: route).head(hostHeader: nil)
    }

    private static let host: (String, String) = ("Host", "api.example")

    @Test func hopByHopFieldsDoNotPass() throws {
        let head = try upstreamHead([
            "Host": "api.example", "Connection": "keep-alive, X-Secret , close", "X-Secret": "1", "Keep-Alive": "5",
            "Proxy-Connection": "x", "Proxy-Authorization": "x", "Proxy-Authenticate": "x", "Upgrade": "h2c",
            "TE": "gzip", "Proxy": "evil", "Accept": "*/*", "traceparent": "00-1-2-01", "Authorization": "Bearer x",
        ])
        let names = Set(head.headers.map { $0.name.lowercased() })
        #expect(
            names == [
                "host", "accept", "traceparent", "authorization", "x-forwarded-for", "x-forwarded-proto",
                "x-forwarded-host", "forwarded",
            ])
    }

    @Test func aClientCannotHaveOurFieldsRemoved() throws {
        let head = try upstreamHead(
            [
                "Host": "a", "Connection": "X-Forwarded-For, X-Tollgate-User, Host, Content-Length",
                "Content-Length": "3",
            ], identity: CallerIdentity(user: "user_1"))
        #expect(head.headers["X-Tollgate-User"] == ["user_1"])
        #expect(head.headers["Host"] == ["a"] && head.headers["Content-Length"] == ["3"])
        #expect(head.headers["X-Forwarded-For"] == ["192.0.2.7"])
    }

    @Test func identityIsOursAlone() throws {
        let identity = CallerIdentity(user: "user_1", platform: "plt_1", plan: "pro", keyID: "key\r\nX-Evil: 1")
        let head = try upstreamHead(
            [
                "Host": "a", "X-Tollgate-User": "admin", "x_tollgate_user": "admin", "X-TOLLGATE-Plan": "max",
                "X_Tollgate-Key_Id": "k", "X-Tollgate-Anything": "x",
            ], identity: identity)
        let ours = head.headers.filter { $0.name.lowercased().hasPrefix("x-toll") || $0.name.hasPrefix("x_") }
        #expect(ours.map(\.name) == ["X-Tollgate-User", "X-Tollgate-Platform", "X-Tollgate-Plan", "X-Tollgate-Key-Id"])
        #expect(ours.map(\.value) == ["user_1", "plt_1", "pro", "key??X-Evil: 1"])
    }

    @Test func whatAClientSaysAboutItselfIsNotBelieved() throws {
        let fields: HTTPHeaders = [
            "Host": "api.example:8080", "X-Forwarded-For": "1.1.1.1", "X_Forwarded_For": "1.1.1.1",
            "Forwarded": "for=1.1.1.1", "X-Forwarded-Proto": "https", "X-Real-IP": "1.1.1.1",
            "X-Forwarded-Host": "evil",
        ]
        let head = try upstreamHead(fields, client: ClientConnection(address: "2001:db8::1"))
        #expect(head.headers["X-Forwarded-For"] == ["2001:db8::1"] && head.headers["X-Forwarded-Proto"] == ["http"])
        #expect(head.headers["X-Forwarded-Host"] == ["api.example:8080"] && head.headers["X-Real-IP"] == [])
        #expect(head.headers["Forwarded"] == [#"for="[2001:db8::1]";host="api.example:8080";proto=http"#])
        #expect(!head.headers.contains { $0.value == "1.1.1.1" })
    }

    @Test func whatATrustedProxySaysIsAddedTo() throws {
        let fields: HTTPHeaders = [
            "Host": "inner", "X-Forwarded-For": "1.1.1.1, 2.2.2.2", "Forwarded": "for=1.1.1.1;proto=https",
            "X-Forwarded-Proto": "https", "X-Forwarded-Host": "api.example",
        ]
        let head = try upstreamHead(fields, client: ClientConnection(address: "10.0.0.1", isTrustedProxy: true))
        #expect(head.headers["X-Forwarded-For"] == ["1.1.1.1, 2.2.2.2, 10.0.0.1"])
        #expect(head.headers["X-Forwarded-Proto"] == ["https"] && head.headers["X-Forwarded-Host"] == ["api.example"])
        #expect(head.headers["Forwarded"] == [#"for=1.1.1.1;proto=https, for=10.0.0.1;host="inner";proto=http"#])
    }

    @Test func onlyAllowedUpgradesPass() throws {
        let fields: HTTPHeaders = ["Host": "a", "Connection": "keep-alive, Upgrade", "Upgrade": "h2c, WebSocket"]
        let head = try upstreamHead(fields)
        #expect(head.headers["Upgrade"] == ["websocket"] && head.headers["Connection"] == ["Upgrade"])
        let none = try upstreamHead(fields, route: ProxyRoute(allowedUpgrades: []))
        #expect(!none.headers.contains(name: "Upgrade") && !none.headers.contains(name: "Connection"))
        let unasked = try upstreamHead(["Host": "a", "Upgrade": "websocket"])
        #expect(!unasked.headers.contains(name: "Upgrade"), "Connection does not say so")
    }

    @Test func rulesComeLast() throws {
        let rules = HeaderRules(
            remove: ["authorization", "Host", "Content-Length"],
            set: [HeaderRules.Field(name: "X-Api", value: "1")].compactMap(\.self))
        let head = try upstreamHead(
            ["Host": "a", "Authorization": "Bearer x", "x-api": "0", "X-API": "2"],
            route: ProxyRoute(requestRules: rules), requestID: "r-1")
        #expect(!head.headers.contains(name: "Authorization") && head.headers["X-Api"] == ["1"])
        #expect(head.headers["Host"] == ["a"], "a rule cannot touch what routes a message")
        #expect(head.headers["X-Request-Id"] == ["r-1"])
        for (name, value) in [("Host", "x"), ("Transfer-Encoding", "x"), ("a b", "x"), ("", "x"), ("A", "x\r\nB: y")] {
            #expect(HeaderRules.Field(name: name, value: value) == nil)
        }
    }

    @Test(arguments: [
        [("Content-Length", "1"), ("Content-Length", "1")], [("Content-Length", "1"), ("Content-Length", "2")],
        [("Content-Length", "1"), ("Transfer-Encoding", "chunked")], [("Content-Length", "+1")],
        [("Content-Length", "1, 1")], [("Content-Length", "-1")], [("Content-Length", "")],
        [("Content-Length", "99999999999999999999")], [("Transfer-Encoding", "gzip, chunked")],
        [("Transfer-Encoding", "xchunked")], [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "identity")],
    ])
    func framingThatCanBeReadInTwoWaysIsRefused(fields: [(String, String)]) {
        #expect(throws: RequestProblem.ambiguousFraming) { try upstreamHead(HTTPHeaders([Self.host] + fields)) }
    }

    @Test func theHostMustBeOne() throws {
        for fields in [[Self.host, Self.host], [], [("Host", "a/b")], [("Host", "a@b")], [("Host", "")]] {
            #expect(throws: RequestProblem.badHost) { try upstreamHead(HTTPHeaders(fields)) }
        }
        #expect(try upstreamHead([:], version: .http1_0).headers["Host"] == [""])
        #expect(try upstreamHead(["Host": "other"], uri: "http://api.example/x").headers["Host"] == ["api.example"])
        #expect(throws: RequestProblem.badTarget(.form)) { try upstreamHead(["Host": "a"], method: .CONNECT) }
    }

    @Test func bodiesHaveALimit() {
        #expect(throws: RequestProblem.bodyTooLarge(limitBytes: 9)) {
            try upstreamHead(["Host": "a", "Content-Length": "10"], route: ProxyRoute(maximumRequestBytes: 9))
        }
    }

    @Test func answersLoseTheirHop() {
        let headers = HeaderFilter.answer([
            "Connection": "close, X-Internal", "X-Internal": "1", "Keep-Alive": "timeout=5",
            "Transfer-Encoding": "chunked", "Upgrade": "h2", "Content-Type": "text/plain", "Set-Cookie": "a=1",
            "Content-Length": "4", "Trailer": "X-Sum",
        ])
        #expect(Set(headers.map(\.name)) == ["Content-Type", "Set-Cookie", "Content-Length", "Trailer"])
    }

    @Test func trailersCannotChangeTheMessage() {
        let trailers = HeaderFilter.trailers([
            "X-Sum": "1", "Content-Length": "4", "Transfer-Encoding": "chunked", "Host": "x", "Authorization": "x",
            "X-Tollgate-User": "x", "X-Forwarded-For": "x", "Set-Cookie": "x", "Grpc-Status": "0",
        ])
        #expect(trailers.map { Set($0.map(\.name)) } == ["X-Sum", "Grpc-Status"])
        #expect(HeaderFilter.trailers(["Host": "x"]) == nil)
    }
}
