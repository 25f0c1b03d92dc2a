import NIOCore
import ReverseProxy
import TestSupport
import Testing

/// What a client gets when an upstream breaks, and where: never a clean end of something that was cut off.
@Suite(.timeLimit(.minutes(6))) struct UpstreamFaultTests {
    private static let ok = ScriptedUpstream.Step.say(.answer("fine"))

    @Test func carriesARequestAndItsAnswer() async throws {
        let upstream = try await ScriptedUpstream.answering([Self.ok])
        try await withFront(upstream) { front in
            let text = try await RawClient.ask(front.port, .post("hello"))
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n") && text.hasSuffix("\r\n\r\nfine"))
            #expect(upstream.received.hasSuffix("\r\n\r\nhello"))
            let outcome = try #require(front.outcomes.first)
            #expect(outcome.status == 200 && outcome.requestBytes == 5 && outcome.answerBytes == 4)
            #expect(outcome.upstream == "127.0.0.1:\(upstream.port)" && outcome.retries == 0 && outcome.error == nil)
        }
    }

    @Test func nobodyListens() async throws {
        let front = try await Front.start(UpstreamGroupSettings([.unreachable()]))
        let text = try await RawClient.ask(front.port, .post("hello"))
        #expect(text.hasPrefix("HTTP/1.1 502"))
        #expect(front.outcomes.first?.retries == 2, "nothing was sent, so even a POST may be tried again")
        try await front.close()
    }

    @Test func theLastDescriptorsAreNotForUpstreams() async throws {
        let upstream = try await ScriptedUpstream.answering([Self.ok])
        var settings = UpstreamGroupSettings(ports: upstream.port)
        settings.upstreams.reservedDescriptors = 3
        let front = try await Front.start(settings)
        let text = try await RawClient.ask(front.port, .get())
        #expect(text.hasPrefix("HTTP/1.1 503"))
        #expect(front.outcomes.first?.error == .unavailable(.outOfDescriptors), "no fault of the upstream's")
        #expect(upstream.received.isEmpty)
        try await front.close()
        try await upstream.close()
    }

    @Test func aDeadUpstreamIsPassedOver() async throws {
        let alive = try await ScriptedUpstream.answering([Self.ok])
        let front = try await Front.start(
            UpstreamGroupSettings([
                .unreachable(), UpstreamMember(Upstream(host: "127.0.0.1", port: alive.port)),
            ]))
        for _ in 0..<20 {
            let text = try await RawClient.ask(front.port, .post("hello"))
            #expect(text.hasPrefix("HTTP/1.1 200"))
        }
        #expect(front.outcomes.count { $0.retries > 0 } <= 4, "it is ejected after three failures")
        try await front.close()
        try await alive.close()
    }

    @Test(arguments: [ScriptedUpstream.Step.hangUp, .reset])
    func goneBeforeTheAnswer(how: ScriptedUpstream.Step) async throws {
        let upstream = try await ScriptedUpstream { number, text in
            text.contains("\r\n\r\n") ? (number == 1 ? [how] : [Self.ok]) : nil
        }
        try await withFront(upstream) { front in
            let text = try await RawClient.ask(front.port, .get())
            #expect(text.hasPrefix("HTTP/1.1 200"))
            #expect(front.outcomes.first?.retries == 1)
        }
    }

    @Test func aPostIsNotSentTwice() async throws {
        let upstream = try await ScriptedUpstream.answering([.hangUp])
        try await withFront(upstream) { front in
            let text = try await RawClient.ask(front.port, .post("hello"))
            #expect(text.hasPrefix("HTTP/1.1 502"))
            #expect(front.outcomes.first?.error == .badGateway(.closedBeforeAnswer))
            #expect(upstream.connectionCount == 1)
        }
    }

    @Test(arguments: [
        [ScriptedUpstream.Step.say("HTTP/1.1 200 OK\r\nContent-Le"), .hangUp],
        [.say("HTTP/1.1 200"), .hangUp],
        [.say("garbage\r\n\r\n"), .hangUp],
        [.say("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")],
        [.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc")],
        [.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")],
        [.say("HTTP/2 200 OK\r\n\r\n")],
        [.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")],
        [.say("HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n")],
    ])
    func anAnswerThatIsNone(steps: [ScriptedUpstream.Step]) async throws {
        let upstream = try await ScriptedUpstream.answering(steps)
        try await withFront(upstream) { front in
            let text = try await RawClient.ask(front.port, .get())
            #expect(text.hasPrefix("HTTP/1.1 502"), "\(text)")
            #expect(upstream.connectionCount == 1, "an answer had begun: not tried again")
            try await eventually("the connection is closed") { upstream.closedCount == 1 }
        }
    }

    @Test(arguments: [
        [
            ScriptedUpstream.Step.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), .pause(.milliseconds(50)),
            .hangUp,
        ],
        [
            .say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"), .pause(.milliseconds(50)),
            .hangUp,
        ],
        [
            .say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"), .pause(.milliseconds(50)),
            .say("zz\r\n"),
        ],
        [.say("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf"), .pause(.milliseconds(50)), .reset],
    ])
    func anAnswerThatIsCutOffIsNotEnded(steps: [ScriptedUpstream.Step]) async throws {
        let upstream = try await ScriptedUpstream.answering(steps)
        try await withFront(upstream) { front in
            let text = try await RawClient.ask(front.port, .get(closes: false))
            #expect(text.hasPrefix("HTTP/1.1 200") && text.contains("half"))
            #expect(!text.hasSuffix("\r\n0\r\n\r\n"), "no end of the chunks: \(text)")
            #expect(front.outcomes.first?.error != nil && front.outcomes.first?.status == 200)
        }
    }

    @Test func anAnswerUntilTheConnectionEndsIsWhole() async throws {
        let upstream = try await ScriptedUpstream.answering([
            .say("HTTP/1.1 200 OK\r\n\r\nto the "), .pause(.milliseconds(20)), .say("end"), .hangUp,
        ])
        try await withFront(upstream) { front in
            let text = try await RawClient.ask(front.port, .get(closes: false)) { $0.hasSuffix("0\r\n\r\n") }
            #expect(text.contains("to the ") && text.contains("end\r\n0\r\n\r\n"))
            #expect(front.outcomes.first?.error == nil)
        }
    }

    @Test(arguments: [
        ([], ProxyError.Phase.firstByte), ([ScriptedUpstream.Step.say("HTTP/1.1 100 Continue\r\n\r\n")], .idle),
    ])
    func anUpstreamThatNeverAnswers(steps: [ScriptedUpstream.Step], phase: ProxyError.Phase) async throws {
        let upstream = try await ScriptedUpstream.answering(steps)
        let route = ProxyRoute(
            timeouts: ProxyTimeouts(firstByte: .milliseconds(150), idle: .milliseconds(150), total: .seconds(5)))
        try await withFront(upstream, route: route) { front in
            let text = try await RawClient.ask(front.port, .get())
            #expect(text.contains("HTTP/1.1 504"), "\(text)")
            #expect(front.outcomes.first?.error == .gatewayTimeout(phase))
            try await eventually("the connection is closed") { upstream.closedCount == 1 }
        }
    }

    @Test func theWholeExchangeHasItsTime() async throws {
        let upstream = try await ScriptedUpstream.answering([
            .say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na"), .pause(.milliseconds(150)), .say("b"),
            .pause(.milliseconds(150)), .say("c"), .pause(.milliseconds(150)), .say("d"),
        ])
        let route = ProxyRoute(timeouts: ProxyTimeouts(idle: .milliseconds(300), total: .milliseconds(400)))
        try await withFront(upstream, route: route) { front in
            _ = try await RawClient.ask(front.port, .get())
            #expect(front.outcomes.first?.error == .gatewayTimeout(.total))
        }
    }

    @Test func aClientThatVanishesTakesTheRequestWithIt() async throws {
        let upstream = try await ScriptedUpstream { _, text in text.contains("part") ? [] : nil }
        try await withFront(upstream) { front in
            let client = try await RawClient.connect(port: front.port)
            try await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\npart")
            try await eventually("the part is there") { upstream.received.hasSuffix("part") }
            try await client.close()
            try await eventually("the upstream sees the end") { upstream.closedCount == 1 }
            try await eventually("and it is told") { front.outcomes.first?.error == .clientGone }
            #expect(try await front.connectionCounts() == (0, 0))
        }
    }

    /// What the charge of a call hangs on: whether an upstream was asked at all, and whose fault it is that there is
    /// no whole answer.
    @Test func anOutcomeTellsWhoWasAskedAndWhoFailed() async throws {
        let upstream = try await ManualUpstream()
        let settings = UpstreamGroupSettings(ports: upstream.port, pool: PoolPolicy(maximumConnections: 1))
        let front = try await Front.start(settings)
        let first = try await RawClient.connect(port: front.port)
        try await first.send(.get(closes: false))
        try await upstream.waits(for: "\r\n\r\n")
        // The only connection is taken, so this one waits for it, and leaves while it does.
        let second = try await RawClient.connect(port: front.port)
        try await second.send(.get(closes: false))
        try await second.close()
        try await eventually("it has left") { front.outcomes.count == 1 }
        #expect(front.outcomes[0].error == .clientGone)
        #expect(!front.outcomes[0].isAsked && !front.outcomes[0].isUpstreamFailure)
        try await first.close()
        try await eventually("so has the other") { front.outcomes.count == 2 }
        #expect(front.outcomes[1].error == .clientGone)
        #expect(front.outcomes[1].isAsked && !front.outcomes[1].isUpstreamFailure)
        try await front.close()
        try await upstream.close()
    }

    /// An upstream that hangs up while it waits for the rest of a body, before its answer or in the middle of it.
    @Test(arguments: ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall but "])
    func aBodyThatIsKeptBackIsNoFailureOfTheUpstream(said: String) async throws {
        let upstream = try await ScriptedUpstream { _, text in
            if text.hasPrefix("GET ") { return text.hasSuffix("\r\n\r\n") ? [Self.ok] : nil }
            return text.hasSuffix("whole") || text.hasSuffix("half") ? [.say(said), .hangUp] : nil
        }
        let settings = UpstreamGroupSettings(
            [UpstreamMember(Upstream(host: "127.0.0.1", port: upstream.port))],
            UpstreamSettings(
                breaker: BreakerPolicy(
                    minimumRequests: 4, windowMilliseconds: 60_000, openMilliseconds: 60_000)))
        let front = try await Front.start(settings)
        func post(_ body: String) async throws -> ProxyOutcome {
            let count = front.outcomes.count
            _ = try await RawClient.ask(
                front.port, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\n\(body)")
            try await eventually("an outcome") { front.outcomes.count > count }
            return front.outcomes[count]
        }
        let whole = try await post("whole")
        #expect(whole.isAsked && whole.isUpstreamFailure, "it had all that it could wait for")
        for _ in 1...20 {
            let outcome = try await post("half")
            #expect(outcome.error == .badGateway(said.isEmpty ? .closedBeforeAnswer : .truncatedAnswer))
            #expect(outcome.isAsked && !outcome.isUpstreamFailure)
        }
        let text = try await RawClient.ask(front.port, .get())
        #expect(text.hasSuffix("fine"), "one client's bodies do not take it out of service: \(text)")
        for _ in 1...5 { _ = try await post("whole") }
        #expect(front.outcomes.last?.error == .unavailable(.circuitOpen), "failures of its own do")
        try await front.close()
        try await upstream.close()
    }
}
