/// Why an exchange has no whole answer from an upstream. The server that embeds the proxy makes an answer of it.
package enum ProxyError: Error, Sendable, Hashable {
    /// 400, or 413 for a body that is too large: no upstream was asked.
    case request(RequestProblem)

    /// 502: the upstream was asked and what it did is no answer.
    case badGateway(BadGateway)

    /// 503: no upstream can be asked now.
    case unavailable(Unavailable)

    /// 504: the upstream took too long.
    case gatewayTimeout(Phase)

    /// 408: the client sends no more of its body, or reads no more of the answer.
    case clientStalled

    /// The client has gone, so no answer can be sent.
    case clientGone

    package enum BadGateway: Sendable, Hashable {
        /// Carries the system's reason.
        case connectFailed(String)
        /// The TLS handshake failed. Carries the reason.
        case tlsFailed(String)
        /// Closed before any answer.
        case closedBeforeAnswer
        /// Closed or broken inside the head or the body.
        case truncatedAnswer
        /// What came is not HTTP/1.1. Carries the parser's word for it.
        case malformedAnswer(String)
        /// Changed to a protocol that the request did not ask for.
        case unrequestedUpgrade
    }

    package enum Unavailable: Sendable, Hashable {
        /// Every upstream is marked as down.
        case noUpstream
        /// Those that are not are given a rest.
        case circuitOpen
        /// All connections are busy and too many requests wait for one, or waited too long.
        case poolExhausted
        /// The client's other requests hold all the connections that one client may have.
        case clientShareExhausted
        /// The process has no descriptor to spare for a connection.
        case outOfDescriptors
        case shuttingDown
    }

    package enum Phase: Sendable, Hashable {
        case connect
        case firstByte
        case idle
        case total
    }
}

/// Why a request is not carried to any upstream: the fault is the client's.
package enum RequestProblem: Error, Sendable, Hashable {
    /// CONNECT asks for a tunnel to anywhere.
    case badMethod

    /// The body is larger than the route allows, in bytes.
    case bodyTooLarge(limitBytes: Int)
}

/// How an exchange ended, for logs and metrics.
package struct ProxyOutcome: Sendable, Hashable {
    /// Of the answer that was passed on; nil when there was none.
    package var status: Int?

    /// Body bytes from the client, to the upstream that was asked last.
    package var requestBytes: Int

    /// Body bytes of the answer. In a tunnel not counted.
    package var answerBytes: Int

    /// From the beginning of the exchange to its end.
    package var durationNanoseconds: Int64

    /// `host:port` of the upstream that was asked last; nil when none was.
    package var upstream: String?

    /// Tries beyond the first.
    package var retries: Int

    /// Nil when the whole answer was passed on.
    package var error: ProxyError?

    /// The upstream of the last try got the request, or the beginning of it.
    package var isAsked: Bool

    /// There is no whole answer below 500, and the client has no part in that.
    package var isUpstreamFailure: Bool
}
