import TestSupport
import Testing

/// What a client gets that speaks HTTP badly, slowly or too much; byte by byte.
@Suite struct EdgeTests {
    /// The requests behind it on the same connection are answered, and the connection ends.
    @Test(arguments: ["/health", "/none", "/usage", "/"])
    func connectIsRefusedAndLeavesNothingBehind(path: String) async throws {
        try await withLocalGateway { gateway in
            let health = "GET /health HTTP/1.1\r\nHost: a\r\n"
            let answer = try await RawClient.ask(
                gateway.port,
                health + "\r\nCONNECT \(path) HTTP/1.1\r\nHost: a\r\n\r\n" + health + "Connection: close\r\n\r\n")
            let statuses = answer.matches(of: /HTTP\/1\.1 (\d{3})/).map { String($0.1) }
            #expect(statuses == ["200", "400", "200"], "\(answer)")
        }
    }

    private static let health = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test(arguments: [
        ("no HTTP at all", "hello\r\n\r\n", 400),
        ("a bad version", "GET / HTTP/x.1\r\nHost: a\r\n\r\n", 400),
        ("another major version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("a space in a header's name", "GET /health HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n", 400),
        (
            "a head too long", "GET /health HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 40_000))\r\n\r\n",
            431
        ),
        (
            "too many fields",
            "GET /health HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: y\r\n", count: 200) + "\r\n", 431
        ),
        (
            "a bad chunk size", "POST /verify-auth HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400
        ),
        (
            "two lengths",
            "POST /verify-auth HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400
        ),
    ])
    func badRequestsAreAnsweredInJSON(what: String, request: String, status: Int) async throws {
        try await withLocalGateway { gateway in
            let answers = try await RawHTTP.exchange(port: gateway.port, pieces: [request])
            #expect(answers.map(\.status) == [status], "\(what)")
            #expect(answers.first?.headers["content-type"] == "application/json", "\(what)")
            #expect(answers.first?.headers["connection"] == "close", "\(what)")
            #expect(answers.first?.body.contains(#""requestId":"#) == true, "\(what)")
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        try await withLocalGateway { gateway in
            let token = try gateway.token("user_abc")
            let verify =
                "POST /verify-auth HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\nContent-Length: 0\r\n\r\n"
            let missing = "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
            let answers = try await RawHTTP.exchange(
                port: gateway.port, pieces: [verify + Self.health + missing + verify + "nonsense\r\n\r\n"], answers: 5)
            #expect(answers.map(\.status) == [200, 200, 404, 200, 400])
            #expect(answers.first?.body.contains(#""count":1,"#) == true)
            #expect(answers[1].body == #"{"status":"ok"}"#)
            #expect(answers[3].body.contains(#""count":2,"#) == true)
        }
    }

    @Test func bodiesInPiecesAreRead() async throws {
        try await withLocalGateway { gateway in
            let token = try gateway.token("user_abc")
            let head =
                "POST /verify-auth HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\nTransfer-Encoding: chunked\r\n\r\n"
            let answers = try await RawHTTP.exchange(
                port: gateway.port, pieces: [head, "3\r\n", "abc\r\n", "0\r\n\r\n", Self.health], answers: 2)
            #expect(answers.map(\.status) == [200, 200])
        }
    }

    @Test func endlessBodiesAreRefusedAndCostNothing() async throws {
        try await withLocalGateway { gateway in
            let token = try gateway.token("user_abc")
            let head = "POST /verify-auth HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n"
            let chunk = "1000\r\n" + String(repeating: "x", count: 4096) + "\r\n"
            let chunked = try await RawHTTP.exchange(
                port: gateway.port,
                pieces: [head + "Transfer-Encoding: chunked\r\n\r\n"] + Array(repeating: chunk, count: 40))
            #expect(chunked.map(\.status) == [413])
            let announced = try await RawHTTP.exchange(
                port: gateway.port, pieces: [head + "Content-Length: 1000000000\r\n\r\n", chunk])
            #expect(announced.map(\.status) == [413])
            let answer = try await gateway.verify("user_abc")
            #expect(answer.body.contains(#""count":1,"#))
        }
    }

    @Test func clientsAreToldToContinue() async throws {
        try await withLocalGateway { gateway in
            let token = try gateway.token("user_abc")
            let head = "POST /verify-auth HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n"
            let answers = try await RawHTTP.exchange(
                port: gateway.port, pieces: [head + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", "{}"],
                answers: 2)
            #expect(answers.map(\.status) == [100, 200])
        }
    }

    /// A head with and without a length, a body in pieces that is asked for, and one request behind the other.
    @Test func theControlPlaneGetsRequestsAsTheyCame() async throws {
        try await withLocalGateway { gateway in
            let fields = " /keys HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(try gateway.token("user_abc"))\r\n"
            let answers = try await RawHTTP.exchange(
                port: gateway.port,
                pieces: [
                    "POST" + fields + "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
                    "7\r\n{\"name\"\r\n", "5\r\n:\"x\"}\r\n0\r\n",
                    "\r\nPOST" + fields + "Content-Length: 12\r\n\r\n{\"name\":\"y\"}GET" + fields + "\r\n",
                    Self.health,
                ], answers: 5)
            #expect(answers.map(\.status) == [100, 201, 201, 200, 200])
            let names = answers.map { $0.body.matches(of: /"name":"(\w)"/).map { String($0.1) }.sorted() }
            #expect(names == [[], ["x"], ["y"], ["x", "y"], []])
        }
    }

    @Test(arguments: [("BREW", [400]), ("get", [400]), ("M-SEARCH", [404, 200]), ("QUERY", [404, 200])])
    func methodsOfNoRegistryAreRefusedByTheControlPlane(method: String, statuses: [Int]) async throws {
        try await withLocalGateway { gateway in
            let answers = try await RawHTTP.exchange(
                port: gateway.port, pieces: ["\(method) /nothing HTTP/1.1\r\nHost: a\r\n\r\n" + Self.health], answers: 2
            )
            #expect(answers.map(\.status) == statuses)
            if statuses == [400] { #expect(answers.first?.headers["connection"] == "close") }
        }
    }

    @Test(arguments: [
        ("half a head", "GET /health HTTP/1.1\r\nHo"),
        ("half a body", "POST /verify-auth HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"),
    ])
    func clientsThatStallAreAnsweredAndClosed(what: String, request: String) async throws {
        try await withLocalGateway(settings: ["TOLLGATE_IDLE_TIMEOUT_SECONDS": "1"]) { gateway in
            let answers = try await RawHTTP.exchange(port: gateway.port, pieces: [request], answers: 2)
            #expect(answers.map(\.status) == [408], "\(what)")
        }
    }

    @Test func idleConnectionsAreClosedWithoutAWord() async throws {
        try await withLocalGateway(settings: ["TOLLGATE_IDLE_TIMEOUT_SECONDS": "1"]) { gateway in
            let answers = try await RawHTTP.exchange(port: gateway.port, pieces: [Self.health], answers: 2)
            #expect(answers.map(\.status) == [200])
        }
    }
}
