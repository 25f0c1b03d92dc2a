import HTTPWire
import NIOCore
import NIOEmbedded
import TestSupport
import Testing
import TollgateCore

@testable import TollgateDataPlane

/// The handler of a client's connection does to its channel, and to the responders, what ``PublicConnectionState`` says.
@Suite struct PublicConnectionTests {
    /// Notes what it is told, and answers when a test wants it to.
    private final class Responder: RequestResponder {
        private let connection: PublicConnection
        private(set) var told: [String]
        var takesBody: Bool
        let limitsArrival = false
        let minimumBodyRate = 0
        var awaitsBody: Bool { takesBody }

        init(_ head: RequestHead, connection: PublicConnection, takesBody: Bool) {
            self.connection = connection
            self.takesBody = takesBody
            told = [head.target]
        }

        func body(_ bytes: ByteBuffer) { told.append(String(buffer: bytes)) }
        func flushBody() { told.append("flush") }
        func bodyEnded(trailers: FieldSection) { told.append("end") }
        func clientWritabilityChanged(isWritable: Bool) { told.append(isWritable ? "writable" : "full") }
        func clientGone() { told.append("gone") }

        func answer(_ text: String = "200", asksToClose: Bool = false) {
            var head = ByteBuffer(string: text + " ")
            if let option = connection.answerBegins(asksToClose: asksToClose) { head.writeString(option) }
            connection.write(head)
            connection.answerEnded()
        }
    }

    private final class Dispatcher: RequestDispatcher {
        var responders: [Responder] = []
        var takesBody = true
        var answersAtOnce = false

        func begin(_ head: RequestHead, on connection: PublicConnection) -> (any RequestResponder)? {
            let responder = Responder(head, connection: connection, takesBody: takesBody)
            responders.append(responder)
            guard answersAtOnce else { return responder }
            responder.answer(head.target)
            return nil
        }
    }

    private struct Public {
        let channel: EmbeddedChannel
        let record: ChannelRecord
        let dispatcher: Dispatcher
        let handler: PublicConnection

        /// What the responders were told, one line each.
        var told: [String] { dispatcher.responders.map { $0.told.joined(separator: " ") } }
    }

    private func connection(drains: Bool = true) throws -> Public {
        let dispatcher = Dispatcher()
        let time = ManualTime(UnixTime(seconds: 1_700_000_000))
        let answers = AnswerWriter(requestIDs: RequestIDGenerator(), clock: AnswerClock(time: time))
        let loop = EmbeddedEventLoop()
        let handler = PublicConnection(
            limits: ConnectionLimits(idleTimeout: .seconds(60)), drain: DrainState(), answers: answers,
            dispatcher: dispatcher, timers: ConnectionTimers(eventLoop: loop))
        let (channel, record) = try EmbeddedChannel.recorded(handler, loop: loop)
        record.drains = drains
        return Public(channel: channel, record: record, dispatcher: dispatcher, handler: handler)
    }

    private static func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n" }

    @Test func theNextRequestBeginsWhenTheOneBeforeIsAnswered() throws {
        let connection = try connection()
        connection.channel.receive(Self.get("/a") + Self.get("/b"))
        #expect(connection.told == ["/a end flush"])
        connection.dispatcher.responders[0].answer()
        #expect(connection.told == ["/a end flush", "/b end"])
        #expect(connection.record.taken() == "write 200 , flush")
    }

    @Test func requestsThatAreAnsweredAtOnceAreTakenInOneLoop() throws {
        let connection = try connection()
        connection.dispatcher.answersAtOnce = true
        connection.channel.receive((1...500).map { Self.get("/\($0)") }.joined())
        #expect(connection.dispatcher.responders.count == 500)
        let written = (1...500).map { "write /\($0) , flush" }.joined(separator: ", ")
        #expect(connection.record.taken() == written)
    }

    @Test func aReadWaitsUntilTheWorkerTakesMore() throws {
        let connection = try connection()
        connection.dispatcher.takesBody = false
        connection.channel.receive("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        connection.channel.pipeline.read()
        connection.channel.pipeline.read()
        #expect(connection.record.taken() == "" && connection.told == ["/p flush"])
        let responder = connection.dispatcher.responders[0]
        responder.takesBody = true
        try connection.channel.pipeline.syncOperations.handler(type: PublicConnection.self).responderTakesBody()
        #expect(connection.record.taken() == "read" && connection.told == ["/p flush ab flush"])
        connection.channel.receive("cd")
        #expect(connection.told == ["/p flush ab flush cd end flush"])
    }

    @Test func aWorkerHearsOfItsClient() throws {
        let connection = try connection()
        connection.channel.receive(Self.get("/a"))
        connection.channel.setWritable(false)
        connection.channel.setWritable(true)
        connection.channel.close(promise: nil)
        #expect(connection.told == ["/a end flush full writable gone"])
    }

    @Test func theLastAnswerIsFollowedByTheEndOfTheOutput() throws {
        let connection = try connection(drains: false)
        connection.channel.receive(Self.get("/a"))
        connection.dispatcher.responders[0].answer(asksToClose: true)
        #expect(connection.record.taken() == "write 200 close, flush, close output")
        connection.record.drain()
        connection.channel.receive("what it still sends")
        connection.channel.pipeline.read()
        #expect(connection.record.taken() == "read", "it is read until the client hangs up")
        connection.channel.receiveEnd()
        #expect(connection.record.taken() == "close")
    }

    @Test func aClientThatHasClosedItsHalfGetsItsAnswer() throws {
        let connection = try connection(drains: false)
        connection.channel.receive(Self.get("/a"))
        connection.channel.receiveEnd()
        #expect(connection.record.taken() == "" && connection.told == ["/a end flush"])
        connection.dispatcher.responders[0].answer()
        #expect(
            connection.record.taken() == "write 200 close, flush, write , flush", "the output is not closed by halves")
        connection.record.drain()
        #expect(connection.record.taken() == "close")
    }

    @Test func whatIsNoHTTPIsAnsweredInsteadOfTheWorker() throws {
        let connection = try connection()
        connection.channel.receive("POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.channel.receive("zz\r\n")
        #expect(connection.told == ["/p flush gone"])
        let written = connection.record.taken()
        #expect(written.hasPrefix("write HTTP/1.1 400 ") && written.contains("Connection: close\r\n"))
        #expect(written.hasSuffix("flush, close output"))
    }

    @Test func anAnswerThatHadBegunIsCutOff() throws {
        let connection = try connection()
        connection.channel.receive("POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        let handler = try connection.channel.pipeline.syncOperations.handler(type: PublicConnection.self)
        #expect(handler.answerBegins() == "close")
        connection.channel.receive("zz\r\n")
        #expect(connection.told == ["/p flush gone"])
        #expect(connection.record.taken() == "close")
    }

    @Test func anIdleConnectionIsClosedWhenTheServerShutsDown() throws {
        let connection = try connection()
        connection.handler.quiesce()
        #expect(connection.record.taken() == "close")
    }
}
