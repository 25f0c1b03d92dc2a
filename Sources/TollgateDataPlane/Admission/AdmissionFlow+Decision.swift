import TollgateCore

/// What the store's answer means, and what becomes of the charge.
extension AdmissionFlow {
    /// The store has answered, or could not.
    package mutating func decided(
        _ result: Result<AdmissionDecision, StoreUnavailable>, at now: ClockReading
    ) -> Action {
        guard let request else { return .nothing }
        switch result {
        case .failure(let error):
            return isOver ? .nothing : undecided(request, after: error, at: now.time)
        case .success(let decision):
            if let granted = decision.reservation { reservation = granted }
            if decision.isOfCaller { plan = decision.usage.plan }
            guard !isOver else { return settle(as: .giveBack) }
            rememberRate(decision, of: request.principal)
            do throws(APIError) {
                try conclude(decision, of: request)
            } catch {
                if purpose != .endpoint, decision.endsKey { state.outage.refused(request.principal.credential) }
                return refuse(error, at: now, from: request.network ?? .unknown)
            }
            admitted = AdmittedCaller(principal: request.principal, decision: decision, time: request.time)
            noteAdmission(of: request.principal)
            if decision.outcome == .replayed, let call = request.idempotentCall {
                return .readStoredAnswer(call, request.principal.userID)
            }
            return .admit
        }
    }

    /// Counts the decision.
    ///
    /// - Throws: The refusal that it is.
    private func conclude(_ decision: AdmissionDecision, of request: AdmissionRequest) throws(APIError) {
        if policy.onlyTells {
            if case .keyRefused(let reason) = decision.outcome { throw state.refusal(of: reason) }
            if decision.outcome == .userBlocked { throw .userBlocked(decision.blockReason) }
            return
        }
        state.count(decision, of: request)
        if decision.outcome == .keyRefused(.scopeMissing) {
            throw .scopeMissing(request.requiredScopes, in: request.principal.credential)
        }
        if policy.endsKey, decision.outcome == .rateLimited { return }
        if let refusal = APIError(decision, at: request.time) { throw refusal }
    }

    private mutating func undecided(
        _ request: AdmissionRequest, after error: StoreUnavailable, at time: UnixTime
    ) -> Action {
        // The clock is set by then.
        if error.cause == .clockDiffers, askOnceMore() { return ask(at: time) }
        if passesWithoutStore(request, after: error) { return .admit }
        if policy.onlyTells { return .refuse(state.refusal(of: error)) }
        return .refuse(state.refusal(of: request, after: error))
    }

    /// Whether the store is to be asked a second time. It is not asked a third time.
    private mutating func askOnceMore() -> Bool {
        defer { hasAskedAgain = true }
        return !hasAskedAgain
    }

    // MARK: What is learned from it

    /// What an outage will ask for is kept fresh where it may be asked for: the rate of the user's plan, and what of it is
    /// used. A key that is not let in says nothing of its user, nor does a block.
    private func rememberRate(_ decision: AdmissionDecision, of principal: Principal) {
        guard policy.onRedisDown == .open else { return }
        switch decision.outcome {
        case .keyRefused, .userBlocked: return
        default: state.outage.saw(decision.rate, of: principal.userID)
        }
    }

    private mutating func noteAdmission(of principal: Principal) {
        guard purpose != .endpoint, principal.credential.isSecretKey else { return }
        // What an outage will ask for is kept fresh where it may be asked for.
        if !isKnownKey || policy.onRedisDown == .open { state.outage.admitted(principal.credential) }
        if !isKnownKey, let presentation { state.keyMemory.remember(principal, for: presentation) }
    }

    // MARK: Repeats

    /// Whether the answer is to be kept for repeats.
    var keepsAnswer: Bool { reservation?.idempotencyKey != nil && policy.idempotency == .replay }

    /// The answer that was kept for repeats was looked up.
    mutating func storedAnswerRead(
        _ result: Result<StoredAnswer?, StoreUnavailable>, at now: ClockReading
    ) -> Action {
        guard !isOver, let principal, let call = idempotentCall else { return .nothing }
        switch result {
        case .failure(let error): return .refuse(.unavailable(cause: error.reason))
        case .success(let answer?): return .replay(answer)
        case .success(nil):
            // It has been forgotten since, so this is an ordinary call; or it is damaged.
            if !askOnceMore() {
                state.reportDamagedAnswer(of: call, by: principal.userID)
                idempotentCall = nil
            }
            return ask(at: now.time)
        }
    }

    // MARK: Without the store

    /// Whether `request` passes though the store has decided nothing. It waits for nothing.
    private mutating func passesWithoutStore(_ request: AdmissionRequest, after error: StoreUnavailable) -> Bool {
        // What a key is good for, only the store knows.
        let needsScopes = request.principal.credential.isKey && !policy.scopes.isEmpty
        // So it does whether the call is a repeat that must not be carried out again.
        let mayBeReplayed = request.idempotentCall != nil && policy.idempotency == .replay
        guard error.cause == .unreachable, policy.onRedisDown == .open, !needsScopes, !mayBeReplayed,
            state.outage.admits(request.principal, at: request.time)
        else { return false }
        isDegraded = true
        state.countDegraded()
        charge(request, after: error)
        return true
    }

    /// Books what a request costs that passes without the store, or has it booked when the request succeeds: where success
    /// is charged, and where a repeat of an attempt that fails is free.
    private mutating func charge(_ request: AdmissionRequest, after error: StoreUnavailable) {
        guard request.cost > 0 else { return }
        // Charged by Redis when it wakes up, it stays charged. What is reserved goes back, for no worker settles it.
        if error.mayBeDone, request.reservation?.givesBack != true {
            return state.outage.tally.leftToRedis(calls: request.cost)
        }
        let charge = OutageCharge(
            userID: request.principal.userID, calls: request.cost, route: request.route, time: request.time)
        if seesOutcome, policy.charge == .success || request.idempotentCall != nil {
            outageCharge = charge
        } else {
            state.outage.book(charge)
        }
    }

    // MARK: The end

    /// The request has ended so. Once: what comes later changes nothing.
    mutating func settle(as outcome: Reservation.Outcome) -> Action {
        if let charge = outageCharge {
            outageCharge = nil
            if outcome != .giveBack { state.outage.book(charge) }
        }
        guard let ended = reservation else { return .nothing }
        reservation = nil
        return .settle(ended, outcome)
    }
}

extension AdmissionDecision {
    /// The key that was presented is good for nothing any more.
    fileprivate var endsKey: Bool {
        if case .keyRefused(let reason) = outcome { !reason.isOfGoodKey } else { false }
    }
}
