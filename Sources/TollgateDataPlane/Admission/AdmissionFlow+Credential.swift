import HTTPTypes
import TollgateCore

/// The principal that the credential of a request names. Of a key it is only found out whom: whether it is good is part of the
/// admission.
extension AdmissionFlow {
    /// A request has come.
    ///
    /// - Parameters:
    ///   - places: Where its credential may stand.
    ///   - idempotencyKeys: The values of `Idempotency-Key`, if a key makes a difference (``honoursIdempotencyKeys``).
    ///   - network: Where the request comes from; only worked out for a key that may be a guess.
    package mutating func begin(
        _ places: some CredentialPlaces, idempotencyKeys: [String] = [], at now: ClockReading,
        from network: @autoclosure () -> ClientNetwork
    ) -> Action {
        beganAtKnownTime = now.isKnown
        do throws(APIError) {
            try take(idempotencyKeys)
            guard policy.authentication != .none else { return .admit }
            // Where Redis may be away, its time may be as well.
            if policy.onRedisDown == .closed { try checkTime(now) }
            if let ticket = try places.ticket() {
                isOutsideFields = true
                return .redeem(ticket)
            }
            let offered = try places.offeredCredential()
            isOutsideFields = offered != nil
            if let known = knownKey(in: places) {
                isKnownKey = true
                return admit(known, at: now, from: network())
            }
            let credential = if let offered { offered } else { try places.credential() }
            return begin(credential, at: now, from: network())
        } catch {
            return refuse(state.counted(error), at: now, from: network())
        }
    }

    /// A request has come whose credential was read before, by ``presented(_:at:from:)``.
    package mutating func begin(
        _ credential: PresentedCredential, at now: ClockReading, from network: @autoclosure () -> ClientNetwork
    ) -> Action {
        beganAtKnownTime = now.isKnown
        do throws(APIError) {
            if policy.onRedisDown == .closed { try checkTime(now) }
            try policy.check(credential)
            if let principal = try remembered(credential) { return admit(principal, at: now, from: network()) }
            // Looking up the owner of a platform's key asks Redis, too.
            if case .key = credential, let refusal = guessRefusal(at: now.time, from: network()) { throw refusal }
            return .verify(credential)
        } catch {
            return refuse(error, at: now, from: network())
        }
    }

    /// What is presented, not verified yet.
    ///
    /// - Throws: The refusal of a request that presents nothing, several things, or a key that cannot be one.
    package func presented(
        _ places: some CredentialPlaces, at time: UnixTime, from network: @autoclosure () -> ClientNetwork
    ) throws(APIError) -> PresentedCredential {
        do throws(APIError) {
            return try places.credential()
        } catch {
            state.guesses.count(error, from: network(), at: time)
            throw state.counted(error)
        }
    }

    /// The credential was verified, or not.
    package mutating func verified(
        _ result: Result<Principal, AdmissionState.VerificationFailure>, at now: ClockReading,
        from network: @autoclosure () -> ClientNetwork
    ) -> Action {
        guard !isOver else { return .nothing }
        switch result {
        case .success(let principal): return admit(principal, at: now, from: network())
        case .failure(.unknownKey): return refuse(state.refusal(of: .unknown), at: now, from: network())
        case .failure(.store(let error)): return .refuse(state.refusal(of: error))
        // Only the right clock tells that a token is too old or too new. It may have become known meanwhile.
        case .failure(.token(let failure)) where failure.reason.isOfTime && !beganAtKnownTime:
            return .refuse(timeUnknown)
        case .failure(.token(let failure)): return .refuse(state.refusal(of: failure))
        }
    }

    /// The store has used the ticket up, or has found none.
    mutating func redeemed(
        _ result: Result<Principal?, StoreUnavailable>, at now: ClockReading,
        from network: @autoclosure () -> ClientNetwork
    ) -> Action {
        guard !isOver else { return .nothing }
        do throws(APIError) {
            switch result {
            case .failure(let error): throw state.refusal(of: error)
            case .success(nil): throw state.counted(.unknownTicket)
            case .success(let principal?):
                try policy.check(principal.credential)
                return admit(principal, at: now, from: network())
            }
        } catch {
            return .refuse(error)
        }
    }

    // MARK: What a request presents

    private mutating func take(_ idempotencyKeys: [String]) throws(APIError) {
        guard let key = idempotencyKeys.first else { return }
        guard idempotencyKeys.count == 1, IdempotentCall.key(in: key) != nil else { throw .badIdempotencyKey }
        idempotencyKey = key
    }

    private func checkTime(_ now: ClockReading) throws(APIError) {
        guard !now.isKnown else { return }
        throw timeUnknown
    }

    /// As long as it is not known what time it is for Redis, a token would be judged by a clock that may be wrong.
    private var timeUnknown: APIError {
        state.refusal(of: StoreUnavailable(.unreachable, reason: "Redis has not told its time yet"))
    }

    /// The caller whom a secret key names that was admitted before.
    private mutating func knownKey(in places: some CredentialPlaces) -> Principal? {
        guard policy.authentication != .jwt, !isOutsideFields, let presented = places.presentation else { return nil }
        let known = state.keyMemory.principal(for: presented)
        if known == nil { presentation = presented }
        return known
    }

    private func remembered(_ credential: PresentedCredential) throws(APIError) -> Principal? {
        do throws(AuthenticationFailure) {
            return try state.remembered(credential)
        } catch {
            throw state.refusal(of: error)
        }
    }

    // MARK: Keys that are guessed

    /// The refusal of a key, whatever it is, from a network that too many wrong ones have come from.
    func guessRefusal(at time: UnixTime, from network: @autoclosure () -> ClientNetwork) -> APIError? {
        state.guesses.refusal(of: network(), at: time).map(state.counted)
    }

    /// Refuses, and counts what may be a guess.
    func refuse(
        _ error: APIError, at now: ClockReading, from network: @autoclosure () -> ClientNetwork
    ) -> Action {
        state.guesses.count(error, from: network(), at: now.time)
        return .refuse(error)
    }
}

extension AuthenticationFailure.Reason {
    /// At another moment the same token would be good.
    fileprivate var isOfTime: Bool {
        switch self {
        case .tokenExpired, .tokenNotActiveYet, .issuedInTheFuture: true
        default: false
        }
    }
}
