import NIOCore
import NIOPosix

/// One TCP connection to an HTTP server, byte by byte: for what no HTTP library would send.
package final class RawHTTP: Sendable {
    private let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private init(channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>) { self.channel = channel }

    /// Sends `text`, reads answers until `answers` of them are complete or the server hangs up, and hangs up.
    ///
    /// - Parameter pieces: Sent one after the other, each in a write of its own.
    package static func exchange(
        port: Int, pieces: [String], answers: Int = 1, within limit: Duration = .seconds(15)
    ) async throws -> [HTTPAnswer] {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        return try await withThrowingTaskGroup(of: [HTTPAnswer]?.self) { group in
            group.addTask { try await RawHTTP(channel: channel).run(pieces: pieces, answers: answers) }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            guard let found = try await group.next() ?? nil else {
                throw NeverHappened(description: "no complete answer within \(limit)")
            }
            return found
        }
    }

    private func run(pieces: [String], answers: Int) async throws -> [HTTPAnswer] {
        try await channel.executeThenClose { inbound, outbound in
            for piece in pieces {
                // A server that has heard enough may hang up in the middle of what we send.
                do { try await outbound.write(ByteBuffer(string: piece)) } catch { break }
            }
            var text = ""
            var found: [HTTPAnswer] = []
            do {
                for try await bytes in inbound {
                    text += String(buffer: bytes)
                    while let (answer, rest) = HTTPAnswer.first(in: text) {
                        found.append(answer)
                        text = rest
                    }
                    if found.count >= answers { break }
                }
            } catch {
                // A reset after the answers is the end of the connection, no more.
            }
            return found
        }
    }
}

/// An HTTP/1.1 answer with a Content-Length or without a body.
package struct HTTPAnswer: Sendable {
    package let status: Int

    /// By lower-case name.
    package let headers: [String: String]
    package let body: String

    /// Takes the first complete answer off `text`. Nil when there is none yet.
    static func first(in text: String) -> (answer: HTTPAnswer, rest: String)? {
        guard let headEnd = text.firstRange(of: "\r\n\r\n") else { return nil }
        let lines = text[..<headEnd.lowerBound].split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        let rest = text[headEnd.upperBound...]
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        guard rest.utf8.count >= length else { return nil }
        let body = String(decoding: Array(rest.utf8.prefix(length)), as: UTF8.self)
        let answer = HTTPAnswer(status: status, headers: headers, body: body)
        return (answer, String(decoding: Array(rest.utf8.dropFirst(length)), as: UTF8.self))
    }
}
