package import NIOCore

/// Limits of one public connection.
package struct ConnectionLimits: Sendable {
    /// A connection on which nothing moves for this long is closed; a request that has begun is answered 408 first.
    package var idleTimeout: TimeAmount

    /// A head, and a body that the gateway itself reads, must arrive within this time, however busily its bytes
    /// trickle. A body on its way to an upstream takes the time it needs.
    package var requestTimeout: TimeAmount

    /// Bytes that must arrive in a second, of a body that the gateway itself reads.
    var bodyRate: Int

    /// After the last answer of a connection, what the client still sends is read for this long, so that it can read
    /// the answer and hang up.
    var lingerTimeout: TimeAmount

    /// And no longer than this when it sends nothing.
    var lingerSilence: TimeAmount

    /// The largest head of a request.
    package var headBytes: Int

    /// The largest body that the gateway itself takes.
    package var bodyBytes: Int

    /// Bytes of further requests that may wait behind one in progress before the socket is no longer read.
    package static let maximumWaitingBytes = 64 * 1024

    package init(
        idleTimeout: TimeAmount, requestTimeout: TimeAmount = .seconds(30), bodyRate: Int = 240,
        lingerTimeout: TimeAmount = .seconds(30), lingerSilence: TimeAmount = .seconds(5),
        headBytes: Int = 32 * 1024, bodyBytes: Int = 64 * 1024
    ) {
        self.idleTimeout = idleTimeout
        self.requestTimeout = requestTimeout
        self.bodyRate = bodyRate
        self.lingerTimeout = lingerTimeout
        self.lingerSilence = lingerSilence
        self.headBytes = headBytes
        self.bodyBytes = bodyBytes
    }
}
