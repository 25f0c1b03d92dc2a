/// How often a request is tried when it fails.
package struct RetryPolicy: Sendable, Hashable {
    /// Tries altogether, the first included.
    package var maximumTries: Int

    package init(maximumTries: Int = 3) { self.maximumTries = max(1, maximumTries) }

    /// Methods that may be carried out twice (RFC 9110, section 9.2.2). A method we do not know is none of them.
    static func isIdempotent(_ method: String) -> Bool {
        switch method {
        case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE": true
        default: false
        }
    }

    /// How far a try had come when it failed.
    struct Progress: Hashable {
        /// Bytes of the head may have reached the upstream.
        var isHeadSent = false
        /// Part of the body was sent; it is not kept, so it cannot be sent again.
        var isBodySent = false
        /// Bytes of an answer have come.
        var isAnswerBegun = false
    }

    /// Whether to try again after `tries` of them. A request nothing of which was sent can be sent whatever its
    /// method; any other only when it does no harm twice.
    func allowsRetry(tries: Int, isIdempotent: Bool, progress: Progress) -> Bool {
        guard tries < maximumTries, !progress.isAnswerBegun, !progress.isBodySent else { return false }
        return !progress.isHeadSent || isIdempotent
    }
}
