import HTTPWire
import Libcrypto
import NIOCore
import TollgateCore

/// The body of a request that bears an idempotency key, gathered before the request is admitted: what is in it decides
/// whether the request is a repeat.
struct BufferedBody {
    private(set) var bytes = ByteBuffer()
    private(set) var trailers = FieldSection.none
    private(set) var isComplete = false

    /// Longer than ``IdempotentCall/maximumBodyBytes``. No more of it is gathered than has come by the time that this is
    /// known.
    private(set) var isTooLong = false

    init(_ framing: BodyFraming) {
        switch framing {
        case .none, .length(0): isComplete = true
        case .length(let count): isTooLong = count > IdempotentCall.maximumBodyBytes
        case .chunked, .untilClose: break
        }
    }

    /// Whether more of the body is needed.
    var isWanted: Bool { !isComplete && !isTooLong }

    mutating func append(_ part: ByteBuffer) {
        bytes.writeImmutableBuffer(part)
        isTooLong = bytes.readableBytes > IdempotentCall.maximumBodyBytes
    }

    mutating func end(trailers: FieldSection) {
        self.trailers = trailers
        isComplete = true
    }

    fileprivate var digest: SHA256Digest { SHA256.digest(Array(bytes.readableBytesView)) }
}

/// What tells one request from another under the same idempotency key.
enum RequestFingerprint {
    /// 64 hexadecimal digits. Nil when `body` is too long, or not complete: such a request is an ordinary call.
    ///
    /// - Parameter address: Host, path and query.
    static func text(method: String, address: String, body: BufferedBody) -> String? {
        guard body.isComplete, !body.isTooLong else { return nil }
        // A repeat comes with a ticket of its own.
        let address = Ticket.parameter.removed(from: address)
        return SHA256.digest("\(method) \(address) \(body.digest.hex)").hex
    }
}
