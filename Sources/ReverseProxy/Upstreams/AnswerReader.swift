import HTTPWire
import NIOCore

/// Takes answers off the bytes of one connection, each in parts: its head, its body, its end. Pure.
struct AnswerReader {
    enum Part {
        case head(ResponseHead)
        case body(ByteBuffer)
        case end(FieldSection)
    }

    /// The largest head of an answer.
    private static let maximumHeadBytes = 256 * 1024
    private static let maximumFields = 500

    private var inbound = ByteBuffer()
    private var scanner = HeadScanner(limitBytes: maximumHeadBytes)
    private var body: BodyReader?

    /// Whether the request was HEAD, so that there is no body whatever the fields say.
    var isAnswerToHead = false

    /// Whether there are bytes that were not taken yet.
    var hasBytes: Bool { inbound.readableBytes > 0 }

    /// Whether no answer has begun.
    var isBetweenAnswers: Bool { body == nil && !hasBytes }

    mutating func append(_ bytes: ByteBuffer) {
        if inbound.readableBytes == 0 { inbound = bytes } else { inbound.writeImmutableBuffer(bytes) }
    }

    /// The next part. Nil when more bytes are needed.
    mutating func next() throws(MessageProblem) -> Part? {
        guard body != nil else { return try nextHead() }
        guard let part = try body?.next(from: &inbound) else { return nil }
        switch part {
        case .bytes(let bytes): return .body(bytes)
        case .end(let trailers):
            body = nil
            return .end(trailers)
        }
    }

    private mutating func nextHead() throws(MessageProblem) -> Part? {
        guard ResponseHead.mayBegin(with: inbound) else { throw .startLine }
        guard let length = try scanner.end(in: inbound), let bytes = inbound.readSlice(length: length) else {
            return nil
        }
        let head = try ResponseHead(parsing: bytes, isAnswerToHead: isAnswerToHead, maximumFields: Self.maximumFields)
        body = BodyReader(head.framing)
        return .head(head)
    }

    /// The connection has ended.
    ///
    /// - Returns: Whether that is the proper end of an answer.
    mutating func closed() -> Bool { body?.closed() ?? false }

    /// Makes ready for the next answer. Gives what was not taken.
    @discardableResult
    mutating func reset() -> ByteBuffer {
        let rest = inbound
        self = AnswerReader()
        return rest
    }
}
