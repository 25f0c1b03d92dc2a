import TestSupport
import Testing
import TollgateServer

/// A call with an `Idempotency-Key` is paid once, however often it is sent.
@Suite(.timeLimit(.minutes(1))) struct IdempotencyTests {
    private static let answer = ScriptedUpstream.Step.say(Wire.answer("done"))

    private static func run(_ body: @escaping @Sendable (KeyedGateways) async throws -> Void) async throws {
        let upstream = try await ScriptedUpstream.answering([answer])
        let file = RouteFile.text(RouteFile.route("/orders", to: upstream.port, "cost: 3"))
        try await withRoutedGateways(2, file: file, body)
        try await upstream.close()
    }

    private static func ask(
        _ gateways: KeyedGateways, _ method: String, _ path: String, key: String, user: String = "user_abc",
        headers: [(String, String)] = [], body: String? = nil, on gateway: Int = 0
    ) async throws -> HTTP.Answer {
        try await HTTP.send(
            method, path, port: gateways.ports[gateway].publicPort,
            headers: try gateways.bearer(user) + headers + [("Host", "api.example"), ("Idempotency-Key", key)],
            body: body)
    }

    @Test func theSameCallIsChargedOnce() async throws {
        try await Self.run { gateways in
            for attempt in 0..<4 {
                let answer = try await Self.ask(gateways, "POST", "/orders/7", key: "k-1", body: "{}", on: attempt % 2)
                #expect(answer.status == 200 && answer.body == "done")
                let used = try await gateways.usedCalls()
                #expect(used == 3, "attempt \(attempt)")
            }
            let other = try await Self.ask(gateways, "POST", "/orders/7", key: "k-2", body: "{}")
            #expect(other.status == 200)
            let another = try await Self.ask(gateways, "POST", "/orders/7", key: "k-1", user: "user_def", body: "{}")
            #expect(another.status == 200)
            #expect(try await gateways.usedCalls() == 6)
            #expect(try await gateways.usedCalls(of: "user_def") == 3, "keys of two users have nothing in common")
        }
    }

    @Test func anotherCallUnderTheSameKeyIsRefused() async throws {
        try await Self.run { gateways in
            _ = try await Self.ask(gateways, "POST", "/orders/7", key: "k", body: "{}")
            for (method, path, body) in [
                ("POST", "/orders/8", "{}"), ("PUT", "/orders/7", "{}"), ("POST", "/orders/7?x=1", "{}"),
                ("POST", "/orders/7", "longer"),
            ] {
                let answer = try await Self.ask(gateways, method, path, key: "k", body: body, on: 1)
                #expect(answer.status == 422, "\(method) \(path) \(body)")
                #expect(answer.member("code") == "idempotency-key-reused")
            }
            #expect(try await gateways.usedCalls() == 3)
        }
    }

    @Test(arguments: ["two words", "{braces}", "\"", "back\\slash", String(repeating: "k", count: 256), ""])
    func keysThatAreNoneAreRefused(key: String) async throws {
        try await Self.run { gateways in
            for path in ["/orders/7", "/authorize"] {
                let answer = try await Self.ask(gateways, "GET", path, key: key)
                #expect(answer.status == 400, "\(path)")
                #expect(answer.member("code") == "bad-idempotency-key")
            }
            #expect(try await gateways.usedCalls() == 0)
        }
    }

    @Test func aDayLaterItIsAnotherCall() async throws {
        try await Self.run { gateways in
            _ = try await Self.ask(gateways, "GET", "/orders/7", key: "k")
            gateways.time.advance(seconds: 86_399)
            _ = try await Self.ask(gateways, "GET", "/orders/7", key: "k")
            #expect(try await gateways.usedCalls() == 3)
            gateways.time.advance(seconds: 1)
            let later = try await Self.ask(gateways, "GET", "/orders/8", key: "k")
            #expect(later.status == 200, "and may be another request")
            #expect(try await gateways.usedCalls() == 6)
        }
    }

    /// The request that counts is the one that the proxy asks about.
    @Test func proxiesThatAskAreTreatedAlike() async throws {
        try await Self.run { gateways in
            func ask(_ uri: String, key: String) async throws -> HTTP.Answer {
                let original = [("X-Forwarded-Method", "POST"), ("X-Forwarded-Uri", uri), ("X-Forwarded-Host", "a")]
                return try await Self.ask(gateways, "GET", "/authorize", key: key, headers: original)
            }
            for _ in 1...3 {
                let answer = try await ask("/orders/7", key: "k")
                #expect(answer.status == 200)
                #expect(try await gateways.usedCalls() == 3)
            }
            let reused = try await ask("/orders/8", key: "k")
            #expect(reused.status == 422)
            #expect(reused.member("code") == "idempotency-key-reused")
            gateways.time.advance(seconds: 86_400)
            let later = try await ask("/orders/7", key: "k")
            #expect(later.status == 200)
            #expect(try await gateways.usedCalls() == 6)
        }
    }
}
