import HTTPTypes
import HTTPWire
package import NIOCore

/// Writes whole answers of the gateway itself as bytes.
package struct AnswerWriter: Sendable {
    package let requestIDs: RequestIDGenerator
    package let clock: AnswerClock

    package init(requestIDs: RequestIDGenerator, clock: AnswerClock) {
        self.requestIDs = requestIDs
        self.clock = clock
    }

    /// Answers `error`, and so ends the request.
    ///
    /// - Parameter head: Nil of a request that was not understood.
    func write(_ error: APIError, to head: RequestHead? = nil, on connection: PublicConnection) {
        let requestID = requestIDs.next()
        if let log = connection.accessLog, log.wants(status: error.status.code) {
            var line = AccessLine(requestID: requestID, status: error.status.code, verdict: error.code)
            (line.method, line.target, line.cause) = (head?.method, head?.target, error.cause)
            log.write(line)
        }
        write(Answer(error, requestID: requestID), requestID: requestID, on: connection)
    }

    /// Writes `answer`, and so ends the request.
    func write(_ answer: Answer, requestID: String, on connection: PublicConnection) {
        var buffer = beginning(of: answer, requestID: requestID)
        connection.endHead(&buffer, asksToClose: answer.headers[.connection] == "close")
        if !connection.isAnswerToHead { buffer.writeImmutableBuffer(answer.body) }
        connection.write(buffer)
        connection.answerEnded()
    }

    /// Writes an answer of the control plane, and so ends the request.
    ///
    /// - Parameters:
    ///   - fields: All but `Date`. Without a `Content-Length` the length is that of `body`.
    ///   - body: Left out where the answer may have none.
    func write(status: HTTPResponse.Status, fields: HTTPFields, body: ByteBuffer, on connection: PublicConnection) {
        let hasBody = status != .noContent && status != .notModified
        var buffer = ByteBuffer()
        buffer.reserveCapacity(1024)
        buffer.writeStatusLine(status)
        for field in fields where field.name != .connection && field.name != .date {
            if field.name != .contentLength || hasBody { buffer.writeField(name: field.name.rawName, field.value) }
        }
        if hasBody, !fields.contains(.contentLength) { buffer.writeField("Content-Length", body.readableBytes) }
        clock.writeDate(to: &buffer)
        connection.endHead(&buffer, asksToClose: fields[.connection] == "close")
        connection.write(buffer)
        if hasBody, !connection.isAnswerToHead { connection.write(body) }
        connection.answerEnded()
    }

    /// The whole answer to a client that is hung up on, whatever it asks for.
    package func refusal(_ error: APIError, log: LoopAccessLog? = nil) -> ByteBuffer {
        let requestID = requestIDs.next()
        if let log, log.wants(status: error.status.code) {
            log.write(AccessLine(requestID: requestID, status: error.status.code, verdict: error.code))
        }
        let answer = Answer(error, requestID: requestID)
        var buffer = beginning(of: answer, requestID: requestID)
        buffer.writeStaticString("Connection: close\r\n\r\n")
        buffer.writeImmutableBuffer(answer.body)
        return buffer
    }

    /// The head but for its end.
    private func beginning(of answer: Answer, requestID: String) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(1024)
        buffer.writeStatusLine(answer.status)
        for field in answer.headers where field.name != .connection {
            buffer.writeField(name: field.name.rawName, field.value)
        }
        buffer.writeField("X-Request-Id", requestID)
        clock.writeDate(to: &buffer)
        return buffer
    }
}

extension ByteBuffer {
    mutating func writeStatusLine(_ status: HTTPResponse.Status) {
        writeStaticString("HTTP/1.1 ")
        writeDecimal(status.code)
        writeInteger(UInt8(ascii: " "))
        writeString(status.reasonPhrase)
        writeLineEnd()
    }
}
