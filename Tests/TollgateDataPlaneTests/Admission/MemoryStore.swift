import Synchronization
import TollgateCore

/// A store in memory that decides as the real one does in the simplest cases: a quota, keys that are good, repeats and
/// reservations. Its ports answer at once.
final class MemoryStore: AdmissionStore {
    struct State {
        var quota = 5
        var count = 0
        var keys: Set<KeyHash> = []
        var tickets: [Ticket: Principal] = [:]
        var answers: [String: StoredAnswer] = [:]

        /// How reservations have ended.
        var ended: [Reservation.Outcome] = []

        /// What each question is answered with instead.
        var failure: StoreUnavailable?
        var questions = 0
    }

    private let state = Mutex(State())

    func with<Value: Sendable>(_ body: (inout sending State) -> sending Value) -> Value { state.withLock(body) }

    func decide(
        _ request: AdmissionRequest, onlyTells: Bool = false
    ) -> Result<AdmissionDecision, StoreUnavailable> {
        state.withLock { state in
            state.questions += 1
            if let failure = state.failure { return .failure(failure) }
            let outcome = state.outcome(request, onlyTells: onlyTells)
            let isCharged = outcome == .admitted && !onlyTells
            if isCharged { state.count += request.cost }
            return .success(
                AdmissionDecision(
                    outcome: outcome,
                    usage: UsageSnapshot(
                        count: state.count, limit: state.quota, plan: "free",
                        period: BillingPeriod(containing: request.time)),
                    rate: RateSnapshot(count: 1, limit: 100, window: RateWindow(containing: request.time)),
                    reservation: isCharged
                        ? request.reservation.map {
                            Reservation(
                                id: $0.id, userID: request.principal.userID, calls: $0.givesBack ? request.cost : 0,
                                record: "", idempotencyKey: request.idempotentCall?.key)
                        } : nil))
        }
    }

    func end(_ reservation: Reservation, as outcome: Reservation.Outcome) {
        state.withLock { state in
            state.ended.append(outcome)
            switch outcome {
            case .keep: break
            case .giveBack: state.count -= reservation.calls
            case .keepAndReplay(let answer): state.answers[reservation.idempotencyKey ?? ""] = answer
            }
        }
    }

    // MARK: AdmissionStore

    func admit(_ request: AdmissionRequest) async throws(StoreUnavailable) -> AdmissionDecision {
        try decide(request).get()
    }

    func peek(_ request: AdmissionRequest) async throws(StoreUnavailable) -> AdmissionDecision {
        try decide(request, onlyTells: true).get()
    }

    func settle(_ reservation: Reservation, as outcome: Reservation.Outcome) async throws(StoreUnavailable) -> Bool {
        end(reservation, as: outcome)
        return true
    }
}

extension MemoryStore.State {
    fileprivate func outcome(_ request: AdmissionRequest, onlyTells: Bool) -> AdmissionDecision.Outcome {
        if case .secretKey(_, _, let hash) = request.principal.credential, !keys.contains(hash) {
            return .keyRefused(.unknown)
        }
        if let call = request.idempotentCall, answers[call.key] != nil { return .replayed }
        return count + request.cost > quota && request.cost > 0 ? .quotaExceeded : .admitted
    }
}

/// ``MemoryStore`` as an event loop has it.
final class MemoryPort: AdmissionPort {
    private let store: MemoryStore

    init(_ store: MemoryStore) { self.store = store }

    func admit(
        _ request: AdmissionRequest, completion: @escaping (Result<AdmissionDecision, StoreUnavailable>) -> Void
    ) {
        completion(store.decide(request))
    }

    func settle(
        _ reservation: Reservation, as outcome: Reservation.Outcome,
        completion: @escaping (Result<Bool, StoreUnavailable>) -> Void
    ) {
        store.end(reservation, as: outcome)
        completion(.success(true))
    }

    func renew(
        _ reservation: Reservation, until leaseEnd: UnixTime,
        completion: @escaping (Result<Bool, StoreUnavailable>) -> Void
    ) {
        completion(.success(true))
    }

    func storedAnswer(
        of call: IdempotentCall, by user: UserID,
        completion: @escaping (Result<StoredAnswer?, StoreUnavailable>) -> Void
    ) {
        completion(.success(store.with { $0.answers[call.key] }))
    }

    func redeem(
        _ ticket: Ticket, at time: UnixTime, completion: @escaping (Result<Principal?, StoreUnavailable>) -> Void
    ) {
        completion(.success(store.with { $0.tickets.removeValue(forKey: ticket) }))
    }
}
