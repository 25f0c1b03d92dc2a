import NIOCore
import ReverseProxy
import TestSupport
import Testing

/// Connections to upstreams are used again and again, but only clean ones.
@Suite(.timeLimit(.minutes(6))) struct ConnectionReuseTests {
    @Test func oneConnectionCarriesManyRequests() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withFront(upstream) { front in
            let client = try await RawClient.connect(port: front.port)
            for number in 1...50 {
                try await client.send(.get("/\(number)", closes: false))
                try await eventually("answer \(number)") { client.text.matches(of: /fine/).count == number }
            }
            #expect(upstream.connectionCount == 1)
            #expect(try await front.connectionCounts() == (1, 0))
            try await client.close()
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        let upstream = try await ScriptedUpstream { number, text in
            text.contains("\r\n\r\n") ? [.pause(.milliseconds(5)), .say(.answer("answer \(number);"))] : nil
        }
        try await withFront(upstream) { front in
            let requests = (1...5).map { String.get("/\($0)", closes: $0 == 5) }.joined()
            let text = try await RawClient.ask(front.port, requests)
            let found = text.matches(of: /answer (\d);/).map { String($0.1) }
            #expect(found == ["1", "2", "3", "4", "5"])
        }
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfine", "said so"),
        ("HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nfine", "HTTP/1.0"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfineHTTP/1.1 200 OK\r\n\r\n", "more than was asked for"),
    ])
    func aConnectionThatIsNotCleanIsNotReused(answer: String, why: String) async throws {
        let upstream = try await ScriptedUpstream.answering([.say(answer)])
        try await withFront(upstream) { front in
            for _ in 1...3 {
                let text = try await RawClient.ask(front.port, .get())
                #expect(text.hasSuffix("fine"))
            }
            #expect(upstream.connectionCount == 3, "\(why)")
            try await eventually("none is kept") { try await front.connectionCounts() == (0, 0) }
        }
    }

    @Test func anEarlyAnswerLeavesNoConnectionBehind() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("too much"))])
        try await withFront(upstream) { front in
            let text = try await RawClient.ask(
                front.port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\npart")
            #expect(text.hasSuffix("too much") && text.contains("onnection: close"))
            try await eventually("closed") { upstream.closedCount == 1 }
        }
    }

    @Test func anIdleConnectionThatTheUpstreamClosesIsForgotten() async throws {
        let upstream = try await ScriptedUpstream.answering([
            .say(.answer("fine")), .pause(.milliseconds(50)), .hangUp,
        ])
        try await withFront(upstream) { front in
            for number in 1...3 {
                let text = try await RawClient.ask(front.port, .post("x"))
                #expect(text.hasSuffix("fine"))
                try await eventually("forgotten") { try await front.connectionCounts() == (0, 0) }
                #expect(upstream.connectionCount == number)
            }
            #expect(front.outcomes.allSatisfy { $0.error == nil && $0.retries == 0 })
        }
    }

    @Test func aConnectionClosedInTheMomentOfUseIsTriedAgain() async throws {
        let upstream = try await ScriptedUpstream { number, text in
            text.contains("\r\n\r\n") ? (number == 2 ? [.hangUp] : [.say(.answer("fine"))]) : nil
        }
        try await withFront(upstream) { front in
            for _ in 1...2 {
                let text = try await RawClient.ask(front.port, .get())
                #expect(text.hasSuffix("fine"))
            }
            #expect(front.outcomes.map(\.retries) == [0, 1])
            #expect(upstream.connectionCount == 2)
        }
    }

    @Test func idleConnectionsGrowOld() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withFront(upstream, pool: PoolPolicy(idleMilliseconds: 1000)) { front in
            _ = try await RawClient.ask(front.port, .get())
            #expect(try await front.connectionCounts() == (1, 0))
            try await eventually("closed by us") { upstream.closedCount == 1 }
        }
    }

    @Test func connectionsAreBoundedAndTheRestWaits() async throws {
        let upstream = try await ScriptedUpstream.answering([.pause(.milliseconds(20)), .say(.answer("fine"))])
        try await withFront(upstream, pool: PoolPolicy(maximumConnections: 2)) { front in
            let port = front.port
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 { group.addTask { try await RawClient.ask(port, .get()).hasSuffix("fine") } }
                for try await isFine in group { #expect(isFine) }
            }
            #expect(upstream.connectionCount == 2)
        }
    }

    @Test func tooManyWaitingAreRefused() async throws {
        let upstream = try await ScriptedUpstream.answering([])
        try await withFront(upstream, pool: PoolPolicy(maximumConnections: 1, maximumWaiting: 1)) { front in
            let busy = try await RawClient.connect(port: front.port)
            try await busy.send(.get())
            try await eventually("it is there") { upstream.received.contains("GET") }
            let waiting = try await RawClient.connect(port: front.port)
            try await waiting.send(.get())
            try await eventually("refused") {
                try await RawClient.ask(front.port, .get()).hasPrefix("HTTP/1.1 503")
            }
            try await busy.close()
            try await waiting.close()
        }
    }
}
