import HTTPTypes
import HTTPWire
import HummingbirdCore
import NIOCore
import NIOEmbedded
import TestSupport
import Testing
import TollgateCore

@testable import TollgateDataPlane

/// The way of a request up to the control plane and of its answer down.
@Suite struct ControlPlaneRequestTests {
    private struct Dispatcher: RequestDispatcher {
        let answers: AnswerWriter
        let respond: ControlPlaneResponder

        func begin(_ head: RequestHead, on connection: PublicConnection) -> (any RequestResponder)? {
            ControlPlaneRequest.begin(
                head, target: head.target, host: "a",
                peer: ConnectionPeer(address: "192.0.2.7", trustedProxies: .empty),
                connection: connection, answers: answers,
                gate: ControlPlaneGate(respond: respond) { work in Task { await work() } })
        }
    }

    /// A connection whose requests all go up to `respond`.
    private func connection(_ respond: @escaping ControlPlaneResponder) async throws -> NIOAsyncTestingChannel {
        let channel = NIOAsyncTestingChannel()
        try await channel.connect(to: SocketAddress(ipAddress: "192.0.2.7", port: 50_000)).get()
        try await channel.testingEventLoop.executeInContext {
            let time = ManualTime(UnixTime(seconds: 1_700_000_000))
            let answers = AnswerWriter(requestIDs: RequestIDGenerator(), clock: AnswerClock(time: time))
            try channel.pipeline.syncOperations.addHandler(
                PublicConnection(
                    limits: ConnectionLimits(idleTimeout: .seconds(60)), drain: DrainState(), answers: answers,
                    dispatcher: Dispatcher(answers: answers, respond: respond),
                    timers: ConnectionTimers(eventLoop: channel.eventLoop)))
        }
        return channel
    }

    /// What comes until there are `count` writes.
    private func answer(on channel: NIOAsyncTestingChannel, writes count: Int) async throws -> String {
        var text = ""
        for _ in 0..<count { text += String(buffer: try await channel.waitForOutboundWrite(as: ByteBuffer.self)) }
        return text
    }

    private static func request(_ method: String, _ fields: String = "", body: String = "") -> ByteBuffer {
        ByteBuffer(string: "\(method) /x HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\(body)")
    }

    /// A connection of which the control plane has answered requests is as one that has never asked anything.
    @Test func nothingStaysBehindARequest() async throws {
        let channel = try await connection { _, _ in
            Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: "hello")))
        }
        let before = "\(channel.pipeline)"
        for _ in 0..<3 {
            try await channel.writeInbound(Self.request("GET"))
            let text = try await answer(on: channel, writes: 2)
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"))
            #expect(text.hasSuffix("\r\n\r\nhello"))
        }
        let after = try await channel.testingEventLoop.executeInContext { "\(channel.pipeline)" }
        #expect(after == before)
        _ = try await channel.finish()
    }

    @Test func theBodyGoesUpAsItComes() async throws {
        let channel = try await connection { request, _ in
            let bytes = try? await request.body.collect(upTo: 100)
            return Response(status: .ok, body: ResponseBody(byteBuffer: bytes ?? ByteBuffer(string: "none")))
        }
        try await channel.writeInbound(Self.request("POST", "Content-Length: 6\r\n", body: "abc"))
        try await channel.writeInbound(ByteBuffer(string: "def"))
        #expect(try await answer(on: channel, writes: 2).hasSuffix("\r\n\r\nabcdef"))
        _ = try await channel.finish()
    }

    @Test(arguments: [("HEAD", HTTPResponse.Status.ok), ("GET", .noContent), ("GET", .notModified)])
    func someAnswersHaveNoBody(method: String, status: HTTPResponse.Status) async throws {
        let channel = try await connection { _, _ in
            Response(status: status, body: ResponseBody(byteBuffer: ByteBuffer(string: "hello")))
        }
        try await channel.writeInbound(Self.request(method))
        let text = try await answer(on: channel, writes: 1)
        #expect(text.hasSuffix("\r\n\r\n"))
        #expect(text.contains("Content-Length: 5\r\n") == (status == .ok))
        _ = try await channel.finish()
    }

    /// Stands where the socket would be, and counts how often it is read.
    private final class Reads: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        var count = 0

        func read(context: ChannelHandlerContext) {
            count += 1
            context.read()
        }
    }

    /// A body that is not read stays in the socket; the answer ends the connection, since the rest is no request.
    @Test func aBodyThatIsNotReadIsNotGathered() async throws {
        let (gate, answers) = AsyncStream.makeStream(of: Void.self)
        let channel = try await connection { _, _ in
            for await _ in gate { break }
            return Response(status: .unauthorized)
        }
        let loop = channel.testingEventLoop
        let reads = try await loop.executeInContext {
            let reads = Reads()
            try channel.pipeline.syncOperations.addHandler(reads, position: .first)
            return NIOLoopBound(reads, eventLoop: loop)
        }
        try await channel.writeInbound(Self.request("POST", "Content-Length: 1000000\r\n", body: "a"))
        for isRead in [true, false] {
            let read = try await loop.executeInContext {
                let before = reads.value.count
                channel.pipeline.read()
                return reads.value.count > before
            }
            #expect(read == isRead)
            for _ in 0..<20 { try await channel.writeInbound(ByteBuffer(string: "a")) }
        }
        answers.yield()
        #expect(try await answer(on: channel, writes: 1).contains("Connection: close\r\n"))
        _ = try await channel.finish(acceptAlreadyClosed: true)
    }

    /// What waits for the rest of a body is told that it does not come.
    @Test func aHandlerHearsThatItsClientHasGone() async throws {
        let (ends, end) = AsyncStream.makeStream(of: Bool.self)
        let channel = try await connection { request, _ in
            let bytes = try? await request.body.collect(upTo: 100)
            end.yield(bytes == nil)
            return Response(status: .ok)
        }
        try await channel.writeInbound(Self.request("POST", "Content-Length: 6\r\n", body: "abc"))
        try await channel.close().get()
        var iterator = ends.makeAsyncIterator()
        #expect(await iterator.next() == true)
        _ = try await channel.finish(acceptAlreadyClosed: true)
    }

    /// Where time is up, the work on a request is cancelled, and its end is waited for, whoever has gone already.
    @Test func workThatIsCancelledComesToItsEnd() async {
        let tasks = RequestTasks()
        let (steps, step) = AsyncStream.makeStream(of: String.self)
        let running = Task {
            await tasks.run()
            step.yield("returned")
        }
        tasks.start {
            step.yield("began")
            try? await Task.sleep(for: .seconds(600))
            step.yield(Task.isCancelled ? "let go" : "slept")
        }
        var iterator = steps.makeAsyncIterator()
        #expect(await iterator.next() == "began")
        running.cancel()
        #expect(await iterator.next() == "let go")
        #expect(await iterator.next() == "returned")
    }

    @Test func whatHasBegunIsWaitedFor() async {
        let tasks = RequestTasks()
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let (steps, step) = AsyncStream.makeStream(of: String.self)
        tasks.start {
            for await _ in gate { break }
            step.yield("done")
        }
        tasks.finish()
        open.yield()
        await tasks.run()
        step.yield("returned")
        var iterator = steps.makeAsyncIterator()
        #expect(await iterator.next() == "done")
        #expect(await iterator.next() == "returned")
    }
}
