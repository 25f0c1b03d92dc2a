/// How long to wait before the next attempt to connect: doubling, capped, and spread over all of the step (full jitter),
/// so that the workers of a fleet do not all come back in the same instant.
///
/// Where handshakes are dear, attempts that cost the server one in vain wait longer. Such work is what a fleet that comes
/// back all at once kills a server with: it shakes hands with those that have given up already, and never gets to those
/// that still wait.
package struct Backoff: Sendable, Hashable {
    /// What a connection that failed has cost the server.
    package enum Cost: Sendable, Hashable {
        /// Nothing, or as much as a word takes: it was away, refused, or said why it is of no use.
        case little
        /// It took the connection, which ended without a word.
        case handshake
    }

    /// The first wait at most.
    package var firstMilliseconds: Int64
    /// All waits at most.
    package var maximumMilliseconds: Int64
    /// All waits at most after what cost a handshake. Nil where that is as good as nothing.
    var maximumAfterHandshakeMilliseconds: Int64?

    /// The first wait at most after what cost a handshake: about what such an attempt takes.
    private static let firstAfterHandshakeMilliseconds: Int64 = 1000

    package init(
        firstMilliseconds: Int64 = 50, maximumMilliseconds: Int64 = 1000,
        maximumAfterHandshakeMilliseconds: Int64? = nil
    ) {
        self.firstMilliseconds = firstMilliseconds
        self.maximumMilliseconds = maximumMilliseconds
        self.maximumAfterHandshakeMilliseconds = maximumAfterHandshakeMilliseconds
    }

    /// A handshake of TLS takes Redis' one thread a millisecond or more; without TLS next to nothing.
    package static func standard(usesTLS: Bool) -> Backoff {
        Backoff(maximumAfterHandshakeMilliseconds: usesTLS ? 10_000 : nil)
    }

    /// The wait after `failures` failures in a row (1 or more), of which the last one cost that much.
    ///
    /// - Parameter jitter: A random number in 0..<1.
    func delayMilliseconds(failures: Int, _ cost: Cost = .little, jitter: Double) -> Int64 {
        var (first, maximum) = (firstMilliseconds, maximumMilliseconds)
        if cost == .handshake, let maximumAfterHandshakeMilliseconds {
            first = max(first, Self.firstAfterHandshakeMilliseconds)
            maximum = maximumAfterHandshakeMilliseconds
        }
        let doublings = Int64(min(max(0, failures - 1), 20))
        return Int64(Double(min(maximum, first << doublings)) * jitter)
    }
}
