import HTTPWire
import NIOCore
import ReverseProxy
import TollgateCore

/// Keeps an answer as it passes, for repeats of the request that it is for.
struct AnswerCapture {
    private var status = 0
    private var head = ByteBuffer()
    private var body = ByteBuffer()

    /// The head of the final answer.
    ///
    /// - Returns: Whether it is short enough to be kept.
    mutating func begin(_ answer: ProxyAnswer) -> Bool {
        status = answer.status
        answer.writeForRepeats(to: &head)
        return head.readableBytes <= StoredAnswer.maximumHeadBytes
    }

    /// - Returns: Whether the body is still short enough to be kept.
    mutating func append(_ bytes: ByteBuffer) -> Bool {
        guard body.readableBytes + bytes.readableBytes <= StoredAnswer.maximumBodyBytes else { return false }
        body.writeImmutableBuffer(bytes)
        return true
    }

    /// The whole answer. Nil when none has come.
    var answer: StoredAnswer? {
        guard status > 0 else { return nil }
        return StoredAnswer(
            status: status, head: Array(head.readableBytesView), body: Array(body.readableBytesView))
    }
}
