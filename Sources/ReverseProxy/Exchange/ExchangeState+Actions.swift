import HTTPWire
import NIOCore

/// What an exchange is told beforehand, and what it says is to be done.
extension ExchangeState {
    /// What of the request and its route matters here.
    struct Terms {
        var timeouts = ProxyTimeouts()
        var retries = RetryPolicy()

        /// Bytes of the body. Nil sets no limit.
        var maximumRequestBytes: Int?
        var expectsContinue = false

        /// The protocols that the upstream may change to.
        var upgrades: [String] = []
    }

    enum Next {
        case nothing
        /// An upstream is to be chosen, and its pool asked for a connection.
        case attempt
        /// The same after the upstream of the failed try was told of it, and the connection closed.
        case retry(LoopUpstream.End)
        case end(Ending)
    }

    /// What is left to be done when the exchange has ended.
    struct Ending {
        /// But for the upstream's name.
        var outcome: ProxyOutcome
        let verdict: LoopUpstream.End
        let connection: Release
        var trailers = FieldSection.none
    }

    /// What becomes of the connection to the upstream.
    enum Release: Hashable {
        case none
        /// The pool is not to give one any more.
        case cancel
        case close
        /// It goes back to the pool, if it can be used again.
        case end(isReusable: Bool)
    }

    enum BodyPlace {
        /// The exchange has ended: it is dropped.
        case nowhere
        /// It waits here for a connection.
        case held
        case upstream
        case end(Ending)
    }

    enum Head {
        case ignored
        case interim
        case final
        /// The connection changes to these protocols.
        case upgrade([String])
        case end(Ending)
    }

    enum AnswerEnd {
        /// It was an interim one: the final one is still to come.
        case interim
        case tunnel
        case end(Ending)
    }

    enum Time {
        case none
        case wait(until: NIODeadline)
        case end(Ending)
    }
}
