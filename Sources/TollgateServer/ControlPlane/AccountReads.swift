import Hummingbird
import TollgateCore
import TollgateDataPlane

/// Who may read what shows a user all that is theirs, and how often. It costs no call and takes no place in the minute, so
/// that a page may ask every few seconds.
struct AccountReads: Sendable {
    /// Answers for one user in a minute, on each worker.
    static let perMinute = 120

    /// Users whose reads are counted.
    static let countedUsers = 16_384

    let gatekeeper: Gatekeeper
    private let reads = MinuteLimiter<UserID>(limit: perMinute, capacity: countedUsers)

    init(gatekeeper: Gatekeeper) { self.gatekeeper = gatekeeper }

    /// The user, and where their limits stand.
    ///
    /// - Throws: The refusal of a caller without a session token, or of one who has asked too often.
    func reader(_ request: Request, _ context: GatewayRequestContext) async throws(APIError) -> AdmittedCaller {
        let credential = try gatekeeper.presented(request.headers, from: context.network)
        guard case .token = credential else { throw .accountNeedsSessionToken }
        let principal = try await gatekeeper.principal(credential, from: context.network)
        let now = gatekeeper.time.now()
        guard reads.admits(principal.userID, at: now) else { throw Self.tooManyReads(at: now) }
        return try await gatekeeper.limits(of: principal, from: context.network)
    }

    private static func tooManyReads(at time: UnixTime) -> APIError {
        let seconds = RateWindow(containing: time).secondsLeft(at: time)
        var error = APIError(
            .tooManyRequests, error: "Too many reads", code: "too-many-reads",
            message: "Ask at most \(perMinute) times a minute. Try again in \(seconds) s.")
        error.headers[.retryAfter] = "\(seconds)"
        return error
    }
}
