import HTTPWire
import NIOCore

/// A request that waits for a connection to an upstream and then has it for itself, as the connection and its pool know
/// it. Called on the event loop.
protocol ConnectionUser: AnyObject {
    /// Whose share of the pool it counts for; nil is not counted.
    var client: ClientShare? { get }

    /// The pool has a connection.
    func begin(on connection: UpstreamConnection)

    /// There is no connection: nothing was sent.
    func upstreamUnavailable(_ error: ProxyError)

    func upstreamSent(_ head: ResponseHead)
    func upstreamSent(_ bytes: ByteBuffer)

    /// The answer is complete; after an interim one the final one is still to come.
    func upstreamEnded(_ trailers: FieldSection)

    /// The upstream has nothing more for now. Gives whether more is to be read from it.
    func upstreamPaused() -> Bool
    func upstreamFailed(_ fault: UpstreamFault)
    func upstreamWritabilityChanged(isWritable: Bool)

    /// What the timer is to wait for next. Nil when the request has ended, perhaps just now, by its time.
    func deadline(now: NIODeadline) -> NIODeadline?
}
