import Synchronization
import TestSupport
import Testing

/// Several upstreams of one route, and the connections that are kept to them.
@Suite struct ProxyUpstreamGroupTests {
    private static let two = "- {name: r, path: /, auth: none, upstreams: [\"{upstream}\", \"{other}\"]}"

    @Test(arguments: ["GET /a", "POST /a"])
    func whoIsDeadIsPassedOver(line: String) async throws {
        let dead = try await ScriptedUpstream.answering([])
        try await dead.close()
        let alive = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: Self.two, upstream: dead, other: alive) { gateway in
            for number in 1...40 {
                let answer = try await gateway.ask(.request(line))
                #expect(answer.status == 200 && answer.body == "fine", "\(number): \(answer.text)")
            }
        }
    }

    @Test func whoHangsUpIsPassedOver() async throws {
        let sick = try await ScriptedUpstream.answering([.hangUp])
        let well = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: Self.two, upstream: sick, other: well) { gateway in
            for number in 1...40 {
                let answer = try await gateway.ask(.request())
                #expect(answer.status == 200, "\(number): \(answer.text)")
            }
            #expect(sick.connectionCount <= 10, "it is left out after a few failures on each event loop")
        }
    }

    @Test func whenAllAreDownClientsAreToldSo() async throws {
        let (one, two) = (try await ScriptedUpstream.answering([]), try await ScriptedUpstream.answering([]))
        try await one.close()
        try await two.close()
        try await withRoutedGateway(routes: Self.two, upstream: one, other: two) { gateway in
            let first = try await gateway.ask(.request())
            #expect(first.status == 502 && first.code == "bad-gateway")
            // The breaker opens: no upstream is asked any more for a while.
            try await eventually("clients are refused at once") {
                let answer = try await gateway.ask(.request())
                guard answer.status == 503 else { return false }
                #expect(answer.code == "upstream-unavailable" && answer.fields["retry-after"] == "1")
                return true
            }
            try await gateway.expectsService("all upstreams are down")
        }
    }

    @Test func whoSaysThatItIsIllIsLeftOutUntilItIsWell() async throws {
        func upstream(_ name: String, saysIll: @escaping @Sendable () -> Bool) async throws -> ScriptedUpstream {
            try await ScriptedUpstream { _, text in
                guard text.hasSuffix("\r\n\r\n") else { return nil }
                guard text.hasPrefix("GET /health ") else { return [.say(.answer(name))] }
                return [.say("HTTP/1.1 \(saysIll() ? 500 : 204) X\r\nContent-Length: 0\r\n\r\n")]
            }
        }
        let state = Illness()
        let one = try await upstream("one") { state.isIll }
        let two = try await upstream("two") { false }
        let check = "healthCheck: {path: /health, interval: 100ms, timeout: 1s}"
        let routes =
            "- {name: r, path: /, auth: none, \(check), upstreams: [\"{upstream}\", \"{other}\"]}"
        try await withRoutedGateway(routes: routes, upstream: one, other: two) { gateway in
            func names(_ count: Int) async throws -> Set<String> {
                var names = Set<String>()
                for _ in 0..<count { names.insert(try await gateway.ask(.request()).body) }
                return names
            }
            try await eventually("both are asked") { try await names(20) == ["one", "two"] }
            state.set(true)
            try await eventually("only one is asked") { try await names(20) == ["two"] }
            let later = try await names(20)
            #expect(later == ["two"])
            state.set(false)
            try await eventually("both are asked again") { try await names(20) == ["one", "two"] }
        }
    }

    /// What a health check is told.
    private final class Illness: Sendable {
        private let value = Mutex(false)
        var isIll: Bool { value.withLock(\.self) }
        func set(_ isIll: Bool) { value.withLock { $0 = isIll } }
    }

    @Test func whenTheOnlyOneIsIllClientsAreToldSo() async throws {
        let upstream = try await ScriptedUpstream.answering([.say("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")])
        let check = "healthCheck: {path: /health, interval: 100ms}"
        let routes = "- {name: r, path: /, auth: none, \(check), upstreams: \"{upstream}\"}"
        try await withRoutedGateway(routes: routes, upstream: upstream) { gateway in
            try await eventually("it is left out") {
                let answer = try await gateway.ask(.request())
                return answer.status == 503 && answer.code == "upstream-unavailable"
            }
        }
    }

    @Test(arguments: ["GET /a", "POST /a"])
    func anIdleConnectionThatWasClosedIsNotUsed(line: String) async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine")), .hangUp])
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            for number in 1...5 {
                let answer = try await gateway.ask(.request(line))
                #expect(answer.status == 200 && answer.body == "fine", "\(number): \(answer.text)")
                try await eventually("closed") { upstream.closedCount == number }
            }
        }
    }

    /// The upstream closes the connection in the moment in which it is used again.
    @Test(arguments: [("GET /a", 200), ("PUT /a", 200), ("POST /a", 502)])
    func aConnectionClosedInUseIsTriedAgainWhereThatDoesNoHarm(line: String, status: Int) async throws {
        let upstream = try await ScriptedUpstream { number, text in
            text.hasSuffix("\r\n\r\n") ? (number == 2 ? [.hangUp] : [.say(.answer("fine"))]) : nil
        }
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            // On one connection, so on one event loop and its pool.
            let client = try await RawClient.connect(port: gateway.port)
            try await client.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
            try await client.waits(for: "fine")
            try await client.send(.request(line))
            try await eventually("the second answer") { client.isClosed }
            #expect(client.text.contains("\r\n\r\nfineHTTP/1.1 \(status) "), "\(client.text)")
            #expect(upstream.received.ranges(of: line).count == (status == 200 ? 2 : 1))
        }
    }
}
