import TestSupport
import Testing
import TollgateCore
import TollgateDev

/// A gateway with routes to an upstream that says what a test wants.
struct RoutedGateway {
    let local: LocalGateway
    let upstream: ScriptedUpstream

    var port: Int { local.port }
    var time: ManualTime { local.time }

    /// Sends `request` byte for byte and reads until the gateway hangs up.
    func ask(_ request: String) async throws -> RawAnswer { try RawAnswer(try await RawClient.ask(port, request)) }

    /// The value of `Authorization` for a session token.
    func bearer(_ user: String = "user_abc", plan: String = "paid") throws -> String {
        "Bearer \(try local.token(user, plan: plan))"
    }

    /// A secret key and its name.
    func makeKey(_ members: String = #""name":"CI""#, of user: String = "user_abc") async throws
        -> KeyedGateways.MadeKey
    {
        let answer = try await HTTP.send(
            "POST", "/keys", port: port, headers: [("Authorization", try bearer(user))], body: "{\(members)}")
        try #require(answer.status == 201, "\(answer.body)")
        return .init(id: try #require(answer.member("id")), text: try #require(answer.member("key")))
    }

    /// Whatever came before, the next client is served.
    func expectsService(_ what: String) async throws {
        let answer = try await HTTP.get("/health", port: port)
        #expect(answer.status == 200, "after \(what)")
    }

    /// Nothing of what was sent has gone further than the gateway.
    func expectsNothingAtUpstream(_ what: String) {
        #expect(upstream.connectionCount == 0 && upstream.received.isEmpty, "\(what): \(upstream.received)")
    }
}

/// What came on a connection until it ended: an answer, and perhaps interim ones before it.
struct RawAnswer {
    /// As it came.
    let text: String
    let status: Int

    /// Of the final answer, by lower-case name.
    let fields: [String: String]

    /// What came behind the final answer's head, with its framing.
    let body: String

    init(_ text: String) throws {
        self.text = text
        var rest = text[...]
        while true {
            let end = try #require(rest.firstRange(of: "\r\n\r\n"), "no answer in '\(text)'")
            let lines = rest[..<end.lowerBound].split(separator: "\r\n")
            rest = rest[end.upperBound...]
            let status = try #require(lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) })
            if status < 200 { continue }
            self.status = status
            fields = Dictionary(lines.dropFirst().map(Self.field)) { first, second in "\(first), \(second)" }
            body = String(rest)
            return
        }
    }

    private static func field(_ line: Substring) -> (String, String) {
        let parts = line.split(separator: ":", maxSplits: 1)
        return (parts[0].lowercased(), String(parts.last?.drop { $0 == " " } ?? ""))
    }

    /// The `code` of a refusal.
    var code: String? { body.firstMatch(of: /"code":"([a-z-]+)"/).map { String($0.1) } }
}

/// Runs `body` on a gateway whose `tollgate.yaml` has these routes and plans that no test uses up.
///
/// - Parameters:
///   - routes: The list below `routes:`, without indentation; `{upstream}` and `{other}` stand for the upstreams' URLs.
///   - free: What the plan `free` allows, in YAML.
func withRoutedGateway(
    routes: String, free: String = "quota: 100000, ratePerMinute: 100000", upstream: ScriptedUpstream,
    other: ScriptedUpstream? = nil, settings: [String: String] = [:],
    _ body: @escaping @Sendable (RoutedGateway) async throws -> Void
) async throws {
    let list = routes.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n")
        .replacing("{upstream}", with: "http://127.0.0.1:\(upstream.port)")
        .replacing("{other}", with: "http://127.0.0.1:\(other?.port ?? 1)")
    let yaml = """
        plans:
          free: {\(free)}
          paid: {quota: 100000, ratePerMinute: 100000}
        routes:
        \(list)

        """
    try await withLocalGateway(settings: settings, yaml: yaml) { gateway in
        try await body(RoutedGateway(local: gateway, upstream: upstream))
    }
    try? await upstream.close()
    try? await other?.close()
}

/// One route to one upstream that every client may use, below `/`.
let openRoute = "- {name: open, path: /, auth: none, upstreams: \"{upstream}\"}"

extension ScriptedUpstream {
    /// Answers `fine` to every request that ends with `end`.
    static func answering(after end: String, _ answer: String = .answer("fine")) async throws -> ScriptedUpstream {
        try await ScriptedUpstream { _, text in text.hasSuffix(end) ? [.say(answer)] : nil }
    }
}

extension String {
    /// A whole answer with 200.
    static func answer(_ body: String, fields: String = "") -> String {
        "HTTP/1.1 200 OK\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    /// A request that ends its connection and brings its own request id, so that all bytes of it are known.
    static func request(_ line: String = "GET /a", fields: String = "", body: String = "") -> String {
        "\(line) HTTP/1.1\r\nHost: api.example\r\nX-Request-Id: r1\r\nConnection: close\r\n\(fields)\r\n\(body)"
    }

    /// What the upstream gets of a request.
    ///
    /// - Parameters:
    ///   - passed: Fields of the client that pass.
    ///   - prefix: What the route takes off the path.
    ///   - ours: Fields that say who the caller is.
    static func forwarded(
        _ line: String = "GET /a", host: String = "api.example", passed: String = "", prefix: String? = nil,
        ours: String = "", framing: String = "", body: String = ""
    ) -> String {
        "\(line) HTTP/1.1\r\nHost: \(host)\r\n\(passed)X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"
            + "X-Forwarded-Host: \(host)\r\n\(prefix.map { "X-Forwarded-Prefix: \($0)\r\n" } ?? "")"
            + "Forwarded: for=127.0.0.1;host=\"\(host)\";proto=http\r\nVia: 1.1 tollgate\r\n\(ours)"
            + "X-Request-Id: r1\r\n\(framing)\r\n\(body)"
    }
}
