import HTTPWire
import NIOCore

/// Answers one request. Called on the connection's event loop; after ``clientGone()`` or the end of its answer
/// it hears nothing more.
protocol RequestResponder: AnyObject {
    /// Whether the connection is to be read on for the body. Once the body is complete: whether it is to be watched for
    /// the client to hang up.
    var takesBody: Bool { get }

    /// Whether the body must arrive within the connection's own time for a request.
    var limitsArrival: Bool { get }

    /// Bytes of the body that the client has to send in a second, while it is waited for. 0: as it likes.
    var minimumBodyRate: Int { get }

    /// Whether it is the client that is waited for: the body is not complete, and there is a place for more of it.
    var awaitsBody: Bool { get }

    func body(_ bytes: ByteBuffer)

    /// What was handed over is all that there is for now.
    func flushBody()
    func bodyEnded(trailers: FieldSection)

    /// The client's connection can take bytes, or cannot for now.
    func clientWritabilityChanged(isWritable: Bool)

    /// The client has gone, so no answer can be sent any more.
    func clientGone()
}

/// Makes the responder for each request of a connection.
protocol RequestDispatcher {
    /// Begins to work on the request with `head`.
    ///
    /// - Returns: Nil when the answer was written already.
    func begin(_ head: RequestHead, on connection: PublicConnection) -> (any RequestResponder)?
}
