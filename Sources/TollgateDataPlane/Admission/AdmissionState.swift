import HTTPWire
package import Logging
import Synchronization
package import TollgateCore
import TollgateStore

/// What all admissions of a worker share: what is remembered of callers, the limiters, and the counts.
///
/// A class, so that every ``AdmissionFlow`` shares it instead of copying its parts.
package final class AdmissionState: Sendable {
    private let authenticator: any TokenAuthenticator
    private let keyOwners: any PlatformKeyDirectory
    private let callers: CallerCounts
    private let health: AdmissionHealth
    private let logger: Logger
    private let metrics: GatewayMetrics
    package let requestIDs: RequestIDGenerator
    package let outage: OutageLimiter
    let guesses = GuessLimiter()
    let keyMemory = KeyMemory()

    package init(
        authenticator: any TokenAuthenticator, keyOwners: any PlatformKeyDirectory, outage: OutageLimiter,
        callers: CallerCounts, health: AdmissionHealth, metrics: GatewayMetrics, requestIDs: RequestIDGenerator,
        logger: Logger
    ) {
        self.authenticator = authenticator
        self.keyOwners = keyOwners
        self.outage = outage
        self.callers = callers
        self.health = health
        self.metrics = metrics
        self.requestIDs = requestIDs
        self.logger = logger
    }

    // MARK: Whom a credential names

    /// Why a credential names no principal.
    enum VerificationFailure: Error {
        case token(AuthenticationFailure)
        case unknownKey
        /// The owner of a platform's key could not be looked up.
        case store(StoreUnavailable)
    }

    /// The caller, when that can be told at once: of a secret key always, of a token that was verified before, and of a
    /// platform's key whose owner is remembered. Nil when it takes ``verify(_:)``.
    ///
    /// - Throws: The failure of a token that has expired since.
    package func remembered(_ credential: PresentedCredential) throws(AuthenticationFailure) -> Principal? {
        switch credential {
        case .key(.secret(let key)): Principal(key)
        case .key(.platform(let key)): keyOwners.remembered(key)
        case .token(let token): try authenticator.remembered(token: token)
        }
    }

    /// The caller. Verifies a token, and looks up the owner of a platform's key.
    func verify(_ credential: PresentedCredential) async -> Result<Principal, VerificationFailure> {
        switch credential {
        case .key(.secret(let key)): return .success(Principal(key))
        case .key(.platform(let key)):
            do throws(StoreUnavailable) {
                return try await keyOwners.principal(for: key).map { .success($0) } ?? .failure(.unknownKey)
            } catch {
                return .failure(.store(error))
            }
        case .token(let token):
            do throws(AuthenticationFailure) {
                return .success(try await authenticator.authenticate(token: token))
            } catch {
                return .failure(.token(error))
            }
        }
    }

    // MARK: Refusals, counted

    /// Counts `error` by its code, if it refuses what a request presents.
    package func counted(_ error: APIError) -> APIError {
        metrics.authenticationFailure(code: error.code)
        return error
    }

    package func refusal(of failure: AuthenticationFailure) -> APIError {
        metrics.authenticationFailure(code: failure.reason.rawValue)
        return .authentication(failure)
    }

    package func refusal(of reason: KeyRefusal) -> APIError {
        metrics.authenticationFailure(code: reason.rawValue)
        return .key(reason)
    }

    package func refusal(of error: StoreUnavailable) -> APIError {
        metrics.storeUnavailable(error)
        return .unavailable(cause: error.reason)
    }

    // MARK: What the store has decided

    /// Counts a decision, and tells the operator what is odd about it.
    package func count(_ decision: AdmissionDecision, of request: AdmissionRequest) {
        if health.admissionWasAnswered() { logger.notice("Redis answers admissions again") }
        metrics.admission(decision)
        let principal = request.principal
        if decision.isOfCaller { callers.count(principal.userID) }
        if decision.outcome == .keyRefused(.addressNotAllowed) { reportAddress(of: request) }
        if decision.planIsUnknown {
            logger.warning(
                "plan unknown, fallback applied",
                metadata: ["user": "\(principal.userID)", "plan": "\(principal.claimedPlan?.prefix(64) ?? "-")"])
        }
        guard !decision.oddities.isEmpty else { return }
        let oddities = decision.oddities.names
        guard !oddities.isEmpty else { return }
        metrics.oddValues(oddities.count)
        logger.warning(
            "what stands in Redis is no number or no day, and counts as 0 or as this month",
            metadata: [
                "user": "\(principal.userID)", "values": "\(oddities.joined(separator: " "))",
                "look-at": "\(Self.keys(of: decision.oddities, request))",
            ])
    }

    /// Tells the operator which address counted: often it is that of a proxy that is not among the trusted ones.
    private func reportAddress(of request: AdmissionRequest) {
        guard case .secretKey(let id, _, _) = request.principal.credential else { return }
        logger.info(
            "an API key may not be used from this address",
            metadata: [
                "user": "\(request.principal.userID)", "key": "\(id)",
                "address": "\(request.network?.address ?? "unknown")",
            ])
    }

    /// The refusal of a request that could not be decided.
    package func refusal(of request: AdmissionRequest, after error: StoreUnavailable) -> APIError {
        let isNews = health.admissionFailed(error)
        if isNews, case .answeredError(let code) = error.cause {
            logger.warning(
                "Redis answered an admission with an error",
                metadata: [
                    "code": "\(code.rawValue)", "user": "\(request.principal.userID)",
                    "cause": "\(error.reason.prefix(512))",
                ])
        }
        return refusal(of: error)
    }

    /// Counts a request that passes though it could not be decided.
    func countDegraded() { metrics.admittedWithoutRedis() }

    /// Tells the operator that the stored answer for repeats of `call` is damaged.
    func reportDamagedAnswer(of call: IdempotentCall, by user: UserID) {
        logger.warning(
            "the stored answer for a repeat is damaged; the call is carried out",
            metadata: ["look-at": "\(RedisKey.idempotency(user, key: call.key))"])
    }

    /// Where the odd values of an admission are.
    private static func keys(of oddities: Oddities, _ request: AdmissionRequest) -> String {
        let (user, window) = (request.principal.userID, RateWindow(containing: request.time))
        var keys: [RedisKey] = []
        if !oddities.isDisjoint(with: [.count, .period]) { keys.append(.usage(user)) }
        if oddities.contains(.day) { keys.append(.usage(user, inTenDaysOf: CalendarDay(containing: request.time))) }
        if oddities.contains(.minute) { keys.append(.rateLimit(user, window)) }
        if oddities.contains(.routeMinute), let limit = request.routeLimit {
            keys.append(.rateLimit(user, route: limit.route, window))
        }
        return keys.map(\.text).joined(separator: " ")
    }
}

extension AdmissionDecision {
    /// It is sure that the call was the user's.
    var isOfCaller: Bool {
        if case .keyRefused = outcome { false } else { true }
    }
}

/// Whom the secret keys name that Redis has admitted lately, so that reading and hashing a key is paid for once per key
/// and not per request. It says nothing about whether a key is good: that is asked in every admission.
///
/// A text of which the caller chooses a part is found by its whole hash, with the process' seed: hashing less would let a
/// caller put all of theirs into one place of the table.
final class KeyMemory: Sendable {
    /// Keys that a worker remembers, about 500 bytes each.
    static let capacity = 131_072

    /// Bytes of what a key came in; one that came in more, such as with blanks before it, is read anew each time.
    static let maximumLength = 1024

    /// What a key came in: a field and its whole value. The same value in another field may be no key.
    struct Presentation: Sendable, Hashable {
        let field: FieldKind
        let value: String
    }

    private let principals = Mutex(RecencyCache<Presentation, Principal>(capacity: capacity))

    func principal(for credential: Presentation) -> Principal? {
        guard credential.value.utf8.count <= Self.maximumLength else { return nil }
        return principals.withLock { $0.value(for: credential) }
    }

    func remember(_ principal: Principal, for credential: Presentation) {
        guard credential.value.utf8.count <= Self.maximumLength else { return }
        principals.withLock { $0.insert(principal, for: credential) }
    }
}
