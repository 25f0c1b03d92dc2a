import HTTPWire
import NIOCore

/// What is to be done with what has come on a connection.
enum PublicConnectionStep {
    /// Nothing for now.
    case none
    /// A request begins.
    case head(RequestHead)
    case body(ByteBuffer)
    case bodyEnded(trailers: FieldSection)
    /// What came is not HTTP.
    case refuse(MessageProblem)
    /// The rest of a request will never come.
    case close
    /// All requests that will come were answered.
    case linger
}

/// What a connection waits for, or no longer.
enum PublicConnectionWait: Hashable {
    case none
    case wait(until: NIODeadline)
    /// A request has not come in time.
    case refuseLate
    /// The body of a request comes too slowly.
    case refuseTooSlow
    case close
    /// The client has had its time to read.
    case hangUp
}

/// Whether the connection answers instead of the responder, which is told that its client is gone.
enum PublicConnectionRefusal: Hashable {
    case none
    case answer
    /// The responder's answer has begun: it can only be cut off.
    case abort
}
