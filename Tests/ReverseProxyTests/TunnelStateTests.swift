import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import ReverseProxy

/// What follows from each event at one of a tunnel's ends, without any channel.
@Suite struct TunnelStateTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    enum Event: Sendable {
        case stands(TunnelState.Side, isWritable: Bool = true)
        case bytes(TunnelState.Side, String)
        case readCompleted(TunnelState.Side)
        case writable(TunnelState.Side, Bool)
        case inputEnded(TunnelState.Side)
        case outputEnded(TunnelState.Side)
        case closed(TunnelState.Side)
        case close
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let what: String
        var testDescription: String { what }

        let steps: [(Event, String)]

        init(_ what: String, _ steps: [(Event, String)]) { (self.what, self.steps) = (what, steps) }
    }

    /// A tunnel whose ends stand, and read.
    private static let open: [(Event, String)] = [
        (.stands(.client), "client: flush; upstream: flush"),
        (.stands(.upstream), "client: flush read; upstream: flush read"),
    ]

    private static let rows = [
        Row(
            "bytes that come before the other end stands wait for it",
            [
                (.stands(.client), "client: flush; upstream: flush"),
                (.bytes(.client, "early"), "wait"), (.bytes(.client, "bird"), "wait"),
                (.bytes(.upstream, "hello"), "write"),
                (.stands(.upstream), "early bird; client: flush read; upstream: flush read"),
                (.bytes(.client, "late"), "write"),
            ]),
        Row(
            "one read at a time",
            open + [
                (.writable(.upstream, true), ""), (.bytes(.client, "a"), "write"),
                (.readCompleted(.client), "client: read; upstream: flush"),
                (.readCompleted(.client), "client: read; upstream: flush"),
            ]),
        Row(
            "an end that cannot write holds the reads of the other, and only those",
            open + [
                (.writable(.upstream, false), ""), (.readCompleted(.client), "upstream: flush"),
                (.readCompleted(.upstream), "client: flush; upstream: read"),
                (.writable(.upstream, true), "client: read"), (.writable(.upstream, true), ""),
            ]),
        Row(
            "an end that stands unwritable is not read for",
            [
                (.stands(.client, isWritable: false), "client: flush; upstream: flush"),
                (.stands(.upstream), "client: flush read; upstream: flush"),
                (.writable(.client, true), "upstream: read"),
            ]),
        Row(
            "one half ends, then the other",
            open + [
                (.inputEnded(.client), "upstream: flush closeOutput"), (.outputEnded(.upstream), ""),
                (.bytes(.upstream, "more"), "write"),
                (.inputEnded(.upstream), "client: flushToEnd; upstream: close"),
                (.outputEnded(.client), "client: close"),
            ]),
        Row(
            "both halves end before anything has left",
            open + [
                (.inputEnded(.client), "upstream: flush closeOutput"),
                (.inputEnded(.upstream), "client: flushToEnd"),
                (.outputEnded(.upstream), "upstream: close"), (.outputEnded(.client), "client: close"),
            ]),
        Row(
            "a client that had ended its half before the upstream's end stood",
            [
                (.stands(.client), "client: flush; upstream: flush"), (.inputEnded(.client), ""),
                (.bytes(.upstream, "hi"), "write"),
                (.stands(.upstream), "client: flush read; upstream: flush closeOutput read"),
            ]),
        Row(
            "a connection that is gone lets what was written leave at the other end",
            open + [
                (.closed(.upstream), "client: flushToEnd; over"), (.bytes(.client, "x"), "wait"),
                (.outputEnded(.client), "client: close"), (.closed(.client), ""),
            ]),
        Row(
            "a connection that is gone behind its end closes the other when that is written",
            open + [
                (.inputEnded(.upstream), "client: flush closeOutput"), (.closed(.upstream), "over"),
                (.outputEnded(.client), "client: close"),
            ]),
        Row(
            "and at once when it was written already",
            open + [
                (.inputEnded(.upstream), "client: flush closeOutput"), (.outputEnded(.client), ""),
                (.closed(.upstream), "client: close; over"),
            ]),
        Row(
            "closed from outside, once",
            open + [
                (.close, "client: close; upstream: close; over"), (.close, "client: close; upstream: close"),
                (.closed(.client), ""), (.readCompleted(.upstream), ""), (.writable(.client, true), ""),
            ]),
        Row(
            "closed before any end stands",
            [(.close, "client: close; upstream: close; over"), (.bytes(.upstream, "x"), "wait")]),
    ]

    @Test(arguments: rows) func whatFollows(row: Row) {
        var state = TunnelState(idleTimeout: .seconds(60), at: Self.start)
        for (index, (event, expected)) in row.steps.enumerated() {
            let done = Self.apply(event, to: &state)
            #expect(done == expected, "\(row.what): step \(index), \(event)")
        }
    }

    @Test func timeCountsFromTheLastBytes() {
        var state = TunnelState(idleTimeout: .seconds(60), at: Self.start)
        let first = state.nextCheck(at: Self.start + .seconds(59))
        #expect(first == Self.start + .seconds(60))
        _ = state.received(ByteBuffer(string: "x"), from: .upstream, at: Self.start + .seconds(59))
        let second = state.nextCheck(at: Self.start + .seconds(60))
        #expect(second == Self.start + .seconds(119))
        let third = state.nextCheck(at: Self.start + .seconds(119))
        #expect(third == nil)
    }

    private static func apply(_ event: Event, to state: inout TunnelState) -> String {
        switch event {
        case .stands(let side, let isWritable):
            let early = state.stands(side, isWritable: isWritable).map { String(buffer: $0) }.joined(separator: " ")
            let actions = text(state.opened(side))
            return early.isEmpty ? actions : early + "; " + actions
        case .bytes(let side, let text):
            return state.received(ByteBuffer(string: text), from: side, at: start) ? "write" : "wait"
        case .readCompleted(let side): return text(state.readCompleted(at: side))
        case .writable(let side, let isWritable):
            return text(state.writabilityChanged(at: side, isWritable: isWritable))
        case .inputEnded(let side): return text(state.inputEnded(at: side))
        case .outputEnded(let side): return text(state.outputEnded(at: side))
        case .closed(let side): return text(state.closed(side))
        case .close: return text(state.close())
        }
    }

    private static func text(_ actions: TunnelState.Actions) -> String {
        let names: [(TunnelState.EndActions, String)] = [
            (.flush, "flush"), (.closeOutput, "closeOutput"), (.flushToEnd, "flushToEnd"), (.close, "close"),
            (.read, "read"),
        ]
        func text(_ actions: TunnelState.EndActions) -> String {
            names.filter { actions.contains($0.0) }.map(\.1).joined(separator: " ")
        }
        var parts: [String] = []
        if !actions.client.isEmpty { parts.append("client: " + text(actions.client)) }
        if !actions.upstream.isEmpty { parts.append("upstream: " + text(actions.upstream)) }
        if actions.isOver { parts.append("over") }
        return parts.joined(separator: "; ")
    }
}

/// The handlers do to two channels what ``TunnelState`` says.
@Suite struct TunnelEndTests {
    private struct Ends {
        let client: (channel: EmbeddedChannel, record: ChannelRecord)
        let upstream: (channel: EmbeddedChannel, record: ChannelRecord)
        let tunnel: Tunnel
        let loop: EmbeddedEventLoop
        let closings: Closings

        /// What was done to both since this was last asked.
        var taken: [String] { [client.record.taken(), upstream.record.taken()] }
    }

    private final class Closings { var count = 0 }

    private func ends(early: String = "", hasInputEnded: Bool = false) throws -> Ends {
        let loop = EmbeddedEventLoop()
        let client = try EmbeddedChannel.recorded(loop: loop)
        let upstream = try EmbeddedChannel.recorded(loop: loop)
        let closings = Closings()
        let tunnel = Tunnel(idleTimeout: .seconds(60)) { closings.count += 1 }
        try tunnel.attach(
            to: client.channel.pipeline, early: ByteBuffer(string: early), hasInputEnded: hasInputEnded, position: .last
        )
        try upstream.channel.pipeline.syncOperations.addHandler(tunnel.end(.upstream))
        tunnel.begin(on: loop)
        return Ends(client: client, upstream: upstream, tunnel: tunnel, loop: loop, closings: closings)
    }

    @Test func bytesAreWrittenAndFlushedWhenTheReadIsComplete() throws {
        let ends = try ends(early: "hello")
        #expect(ends.taken == ["flush, flush, read", "write hello, flush, read"])
        ends.client.channel.receive("ping")
        #expect(ends.taken == ["read", "write ping, flush"])
        ends.upstream.channel.receive("pong")
        #expect(ends.taken == ["write pong, flush", "read"])
    }

    @Test func aFullChannelHoldsTheOther() throws {
        let ends = try ends()
        _ = ends.taken
        ends.upstream.channel.setWritable(false)
        ends.client.channel.receive("ping")
        #expect(ends.taken == ["", "write ping, flush"])
        ends.upstream.channel.setWritable(true)
        #expect(ends.taken == ["read", ""])
    }

    @Test func halvesCloseOneAfterTheOther() throws {
        let ends = try ends()
        _ = ends.taken
        ends.upstream.record.drains = false
        ends.client.channel.receiveEnd()
        #expect(ends.taken == ["", "flush, close output"])
        ends.upstream.channel.receive("still here")
        ends.upstream.channel.receiveEnd()
        #expect(ends.taken == ["write still here, flush, write , flush, close", "read"])
        #expect(ends.closings.count == 1, "the client's connection has gone")
        ends.upstream.record.drain()
        #expect(ends.taken == ["", "close"])
        #expect(ends.closings.count == 1)
    }

    @Test func aClientThatEndedItsHalfBeforeIsPassedOn() throws {
        let ends = try ends(early: "last", hasInputEnded: true)
        #expect(ends.taken[1] == "write last, flush, close output, read")
    }

    @Test func closedFromOutside() throws {
        let ends = try ends()
        _ = ends.taken
        ends.tunnel.close()
        #expect(ends.taken == ["close", "close"])
        #expect(!ends.client.channel.isActive && !ends.upstream.channel.isActive && ends.closings.count == 1)
        ends.loop.advanceTime(by: .seconds(120))
        #expect(ends.closings.count == 1)
    }
}
