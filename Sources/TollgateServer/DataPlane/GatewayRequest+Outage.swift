import NIOCore
import TollgateCore

/// Requests on routes that stay open while Redis is away.
extension GatewayRequest {
    /// What an outage will ask for is kept fresh where it may be asked for: the rate of the user's plan, and what of it is
    /// used. A key that is not let in says nothing of its user.
    func noteStanding(_ result: Result<AdmissionDecision, StoreUnavailable>, of principal: Principal) {
        guard policy.onRedisDown == .open, case .success(let decision) = result else { return }
        if case .keyRefused = decision.outcome { return }
        dataPlane.outage.saw(decision.rate, of: principal.userID)
    }

    /// Whether `request` passes though Redis has decided nothing. It waits for nothing.
    func passesWithoutRedis(_ request: AdmissionRequest, after error: StoreUnavailable) -> Bool {
        // What a key is good for, only Redis knows.
        let needsScopes = request.principal.credential.isKey && !policy.scopes.isEmpty
        // So it does whether the call is a repeat that must not be carried out again.
        let mayBeReplayed = request.idempotentCall != nil && policy.idempotency == .replay
        guard error.cause == .unreachable, policy.onRedisDown == .open, !needsScopes, !mayBeReplayed,
            dataPlane.outage.admits(request.principal, at: request.time)
        else { return false }
        isDegraded = true
        dataPlane.proxyMetrics.admittedWithoutRedis()
        charge(request, after: error)
        return true
    }

    /// Books what a request costs that passes without Redis, or has it booked when the request succeeds: where success is
    /// charged, and where a repeat of an attempt that fails is free.
    private func charge(_ request: AdmissionRequest, after error: StoreUnavailable) {
        guard request.cost > 0 else { return }
        // Charged by Redis when it wakes up, it stays charged. What is reserved goes back, for nobody settles it.
        if error.mayBeDone, request.reservation?.givesBack != true {
            return dataPlane.outage.tally.leftToRedis(calls: request.cost)
        }
        let charge = OutageCharge(
            userID: request.principal.userID, calls: request.cost, route: request.route, time: request.time)
        if case .proxy = purpose, policy.charge == .success || request.idempotentCall != nil {
            outageCharge = charge
        } else {
            dataPlane.outage.book(charge)
        }
    }

    /// The request has ended.
    func settleOutage(_ outcome: Reservation.Outcome) {
        guard let charge = outageCharge else { return }
        outageCharge = nil
        if outcome != .giveBack { dataPlane.outage.book(charge) }
    }
}

/// What a request costs that passed without Redis.
struct OutageCharge: Sendable {
    let userID: UserID
    let calls: Int

    /// What the calls are booked under.
    let route: String

    /// When it passed.
    let time: UnixTime
}
