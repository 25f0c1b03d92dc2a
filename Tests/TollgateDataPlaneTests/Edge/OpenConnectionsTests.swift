import HTTPWire
import NIOCore
import NIOEmbedded
import TestSupport
import Testing
import TollgateCore

@testable import TollgateDataPlane

/// How the connections of an event loop end when the worker shuts down.
@Suite struct OpenConnectionsTests {
    /// Never answers.
    private final class Silent: RequestResponder {
        private(set) var isAlone = false
        let takesBody = true
        let limitsArrival = false
        let minimumBodyRate = 0
        let awaitsBody = false

        func body(_ bytes: ByteBuffer) {}
        func flushBody() {}
        func bodyEnded(trailers: FieldSection) {}
        func clientWritabilityChanged(isWritable: Bool) {}
        func clientGone() { isAlone = true }
    }

    private struct Dispatcher: RequestDispatcher {
        let responder = Silent()

        func begin(_ head: RequestHead, on connection: PublicConnection) -> (any RequestResponder)? { responder }
    }

    private struct Client {
        let channel: EmbeddedChannel
        let responder: Silent

        var isClosed: Bool { !channel.isActive }
    }

    private let loop = EmbeddedEventLoop()

    private func connect(to connections: LoopConnections, asks: Bool = false) throws -> Client {
        let time = ManualTime(UnixTime(seconds: 1_700_000_000))
        let answers = AnswerWriter(requestIDs: RequestIDGenerator(), clock: AnswerClock(time: time))
        let dispatcher = Dispatcher()
        let (channel, _) = try EmbeddedChannel.recorded(
            PublicConnection(
                limits: ConnectionLimits(idleTimeout: .seconds(60)), drain: DrainState(), answers: answers,
                dispatcher: dispatcher, timers: connections.timers), loop: loop)
        connections.opened(channel)
        if asks { channel.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
        return Client(channel: channel, responder: dispatcher.responder)
    }

    @Test func eachIsCountedUntilItIsClosed() throws {
        let connections = LoopConnections(eventLoop: loop)
        let clients = try (0..<3).map { _ in try connect(to: connections) }
        #expect(connections.count == 3)
        #expect(connections.timers.connections.count == 3)
        for client in clients { client.channel.close(promise: nil) }
        loop.run()
        #expect(connections.count == 0)
        #expect(connections.timers.connections.isEmpty)
    }

    @Test func aShutdownEndsIdleOnesAndWaitsForTheOthers() throws {
        let connections = LoopConnections(eventLoop: loop)
        let (idle, busy) = (try connect(to: connections), try connect(to: connections, asks: true))
        var hasEnded = false
        connections.quiesce().assumeIsolated().whenSuccess { hasEnded = true }
        loop.run()
        #expect(idle.isClosed)
        #expect(!busy.isClosed)
        #expect(!hasEnded)
        busy.channel.close(promise: nil)
        loop.run()
        #expect(hasEnded)
    }

    @Test func aShutdownWithoutConnectionsIsOverAtOnce() {
        let connections = LoopConnections(eventLoop: loop)
        var hasEnded = false
        connections.quiesce().assumeIsolated().whenSuccess { hasEnded = true }
        loop.run()
        #expect(hasEnded)
    }

    /// It was accepted in the moment in which the port closed.
    @Test func oneThatComesTooLateIsEndedAsWell() throws {
        let connections = LoopConnections(eventLoop: loop)
        let busy = try connect(to: connections, asks: true)
        _ = connections.quiesce()
        let late = try connect(to: connections)
        loop.run()
        #expect(late.isClosed)
        #expect(!busy.isClosed)
        busy.channel.close(promise: nil)
        loop.run()
    }

    /// Where time is up, each request in progress hears that its client is gone.
    @Test func allCanBeEndedAtOnce() throws {
        let connections = LoopConnections(eventLoop: loop)
        let clients = try [false, true].map { try connect(to: connections, asks: $0) }
        connections.close()
        loop.run()
        #expect(clients.map(\.isClosed) == [true, true])
        #expect(clients[1].responder.isAlone)
        #expect(connections.count == 0)
    }
}
