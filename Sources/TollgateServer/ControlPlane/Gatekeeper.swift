import HTTPTypes
import Libcrypto
import Logging
import TollgateCore
import TollgateStore

/// Lets a caller in, or says why not: authentication, then admission. The order is the original's: 401, 429, 403.
///
/// A class, so that every request shares it instead of copying its parts.
package final class Gatekeeper: Sendable {
    let authenticator: any TokenAuthenticator
    let keyOwners: any PlatformKeyDirectory
    let store: any AdmissionStore
    let time: any TimeSource
    let metrics: GatewayMetrics
    let callers: CallerCounts
    let health: AdmissionHealth
    let reservations: ReservationKeeper

    init(
        authenticator: any TokenAuthenticator, keyOwners: any PlatformKeyDirectory, store: any AdmissionStore,
        time: any TimeSource, metrics: GatewayMetrics, callers: CallerCounts, health: AdmissionHealth,
        reservations: ReservationKeeper
    ) {
        self.authenticator = authenticator
        self.keyOwners = keyOwners
        self.store = store
        self.time = time
        self.metrics = metrics
        self.callers = callers
        self.health = health
        self.reservations = reservations
    }

    /// A caller who was let in and charged.
    package struct Admitted: Sendable {
        package let principal: Principal
        package let decision: AdmissionDecision
        package let time: UnixTime

        package var usage: UsageSnapshot { decision.usage }

        /// For the answer, if nothing is given back.
        package var rateLimitHeaders: HTTPFields { RateLimitHeaders.fields(for: decision, at: time) }
    }

    /// What the control plane's endpoints do for a caller who is let in: the only way in which they charge. A call whose
    /// `work` fails is given back, so that whatever is refused costs nothing; its place in the minute is not.
    ///
    /// - Parameters:
    ///   - cost: Calls of the quota that the request costs.
    ///   - route: What they are booked under.
    ///   - requiredScopes: What a key needs. All that its owner may do unless told otherwise, or a key that is good for
    ///     little could fetch one that is good for everything.
    ///   - endsKey: The request ends a key. A full minute keeps nobody from that, for who has found the key could keep
    ///     it full.
    ///   - work: What is done for the caller.
    /// - Throws: The refusal, ready to be answered.
    func serve<Value>(
        _ headers: HTTPFields, cost: Int = 1, route: String, quotaPolicy: AdmissionRequest.QuotaPolicy = .enforce,
        requiredScopes: [KeyScope] = [.all], endsKey: Bool = false, logger: Logger,
        _ work: (Admitted) async throws -> Value
    ) async throws(APIError) -> Value {
        try await serve(
            try presented(headers), cost: cost, route: route, quotaPolicy: quotaPolicy,
            requiredScopes: requiredScopes, endsKey: endsKey, logger: logger, work)
    }

    /// The same for what was read from the headers already.
    func serve<Value>(
        _ credential: PresentedCredential, cost: Int = 1, route: String,
        quotaPolicy: AdmissionRequest.QuotaPolicy = .enforce, requiredScopes: [KeyScope] = [.all],
        endsKey: Bool = false, logger: Logger, _ work: (Admitted) async throws -> Value
    ) async throws(APIError) -> Value {
        let principal = try await principal(credential)
        let (request, result) = await ask(store.admit) { now in
            AdmissionRequest(
                principal: principal, time: now, cost: cost, route: route, quotaPolicy: quotaPolicy,
                requiredScopes: requiredScopes, reservation: cost > 0 ? Self.reservation() : nil)
        }
        let reservation = (try? result.get().reservation).flatMap {
            reservations.keep($0, leaseSeconds: Self.leaseSeconds)
        }
        let admitted = try conclude(result, of: request, endsKey: endsKey, logger: logger)
        do {
            let value = try await work(admitted)
            await reservation?.end(as: .keep)
            return value
        } catch {
            await reservation?.end(as: .giveBack)
            throw admitted.refusal(of: error)
        }
    }

    /// Asks the store, and once more when the time was wrong: it is set by then.
    private func ask(
        _ question: (AdmissionRequest) async throws(StoreUnavailable) -> AdmissionDecision,
        _ makeRequest: (UnixTime) -> AdmissionRequest
    ) async -> (AdmissionRequest, Result<AdmissionDecision, StoreUnavailable>) {
        var hasAskedAgain = false
        while true {
            let request = makeRequest(time.now())
            do throws(StoreUnavailable) {
                return (request, .success(try await question(request)))
            } catch {
                guard error.cause == .clockDiffers, !hasAskedAgain else { return (request, .failure(error)) }
                hasAskedAgain = true
            }
        }
    }

    /// How long a call is reserved for its work at a time. One whose worker dies is given back after it.
    private static let leaseSeconds: Int64 = 60

    private static func reservation() -> Reservation.Request? {
        Reservation.Request(id: RandomBytes.hex(count: 16), leaseSeconds: leaseSeconds)
    }

    /// What the store's decision means to the caller, counted.
    ///
    /// - Throws: The refusal, ready to be answered.
    func conclude(
        _ result: Result<AdmissionDecision, StoreUnavailable>, of request: AdmissionRequest, endsKey: Bool = false,
        logger: Logger
    ) throws(APIError) -> Admitted {
        let decision: AdmissionDecision
        let principal = request.principal
        switch result {
        case .success(let value):
            decision = value
            health.admissionWasAnswered()
        case .failure(let error):
            health.admissionFailed(error)
            if case .answeredError(let code) = error.cause {
                logger.warning(
                    "Redis answered an admission with an error",
                    metadata: [
                        "code": "\(code.rawValue)", "user": "\(principal.userID)",
                        "cause": "\(error.reason.prefix(512))",
                    ])
            }
            throw refusal(of: error)
        }
        metrics.admission(decision)
        if decision.isOfCaller { callers.count(principal.userID) }
        if decision.planIsUnknown {
            logger.warning(
                "plan unknown, fallback applied",
                metadata: ["user": "\(principal.userID)", "plan": "\(principal.claimedPlan?.prefix(64) ?? "-")"])
        }
        let oddities = decision.oddities.names
        if !oddities.isEmpty {
            metrics.oddValues(oddities.count)
            logger.warning(
                "what stands in Redis is no number or no day, and counts as 0 or as this month",
                metadata: [
                    "user": "\(principal.userID)", "values": "\(oddities.joined(separator: " "))",
                    "look-at": "\(Self.keys(of: decision.oddities, request))",
                ])
        }
        if decision.outcome == .keyRefused(.scopeMissing) {
            throw .scopeMissing(request.requiredScopes, in: principal.credential)
        }
        let passesFullMinute = endsKey && decision.outcome == .rateLimited
        if !passesFullMinute, let refusal = APIError(decision, at: request.time) { throw refusal }
        return Admitted(principal: principal, decision: decision, time: request.time)
    }

    /// Where the odd values of an admission are.
    private static func keys(of oddities: Oddities, _ request: AdmissionRequest) -> String {
        let (user, window) = (request.principal.userID, RateWindow(containing: request.time))
        var keys: [RedisKey] = []
        if !oddities.isDisjoint(with: [.count, .period]) { keys.append(.usage(user)) }
        if oddities.contains(.day) { keys.append(.usage(user, on: CalendarDay(containing: request.time))) }
        if oddities.contains(.minute) { keys.append(.rateLimit(user, window)) }
        if oddities.contains(.routeMinute), let limit = request.routeLimit {
            keys.append(.rateLimit(user, route: limit.route, window))
        }
        return keys.map(\.text).joined(separator: " ")
    }

    /// A caller and both their limits, at a moment.
    struct Standing: Sendable {
        let principal: Principal
        let decision: AdmissionDecision
        let time: UnixTime
    }

    /// Where the caller's limits stand, whether or not a call would pass. Charges nothing and takes no place in the
    /// minute.
    ///
    /// - Throws: The refusal of a caller who is not let in at all.
    func standing(_ headers: HTTPFields) async throws(APIError) -> Standing {
        try await standing(of: try await principal(try presented(headers)))
    }

    /// The same for a caller who is known already.
    func standing(of principal: Principal) async throws(APIError) -> Standing {
        let (request, result) = await ask(store.peek) { AdmissionRequest(principal: principal, time: $0) }
        let decision: AdmissionDecision
        do {
            decision = try result.get()
        } catch {
            throw refusal(of: error)
        }
        if case .keyRefused(let reason) = decision.outcome { throw refusal(of: reason) }
        return Standing(principal: request.principal, decision: decision, time: request.time)
    }
}

extension AdmissionDecision {
    /// It is sure that the call was the user's.
    fileprivate var isOfCaller: Bool {
        if case .keyRefused = outcome { false } else { true }
    }
}
