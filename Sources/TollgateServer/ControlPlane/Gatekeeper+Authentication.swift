import HTTPTypes
import TollgateCore
import TollgateStore

/// Who a caller is. Of a key it is only asked here whom it names: whether it is good is part of the admission.
extension Gatekeeper {
    /// What the caller presents. Asks nobody.
    ///
    /// - Throws: The refusal of a request that presents nothing, several things, or a key that cannot be one.
    func presented(_ headers: HTTPFields) throws(APIError) -> PresentedCredential {
        try presented(authorization: headers[values: .authorization], apiKey: headers[values: .xAPIKey])
    }

    /// The same for the values of the fields `Authorization` and `X-API-Key`.
    func presented(authorization: [String], apiKey: [String]) throws(APIError) -> PresentedCredential {
        do throws(APIError) {
            return try PresentedCredential.read(authorization: authorization, apiKey: apiKey)
        } catch {
            metrics.authenticationFailure(code: error.code)
            throw error
        }
    }

    /// The caller, when that can be told at once: of a secret key always, of a token that was verified before, and of a
    /// platform's key whose owner is remembered. Nil when it takes ``principal(_:)``.
    ///
    /// - Throws: The refusal of a token that has expired since.
    func remembered(_ credential: PresentedCredential) throws(APIError) -> Principal? {
        switch credential {
        case .key(.secret(let key)): return Principal(key)
        case .key(.platform(let key)): return keyOwners.remembered(key)
        case .token(let token):
            do throws(AuthenticationFailure) {
                return try authenticator.remembered(token: token)
            } catch {
                throw refusal(of: error)
            }
        }
    }

    /// The caller. Verifies a token, and looks up whose a platform's key is.
    ///
    /// - Parameter needsTime: False where calls pass while Redis is away: as long as Redis has not told its time, the
    ///   machine's clock stands in. By that a token is let in, and none is refused.
    /// - Throws: The refusal, ready to be answered.
    func principal(
        _ credential: PresentedCredential, needsTime: Bool = true
    ) async throws(APIError) -> Principal {
        if needsTime { try checkTime() }
        switch credential {
        case .key(.secret(let key)): return Principal(key)
        case .key(.platform(let key)): return try await owner(of: key)
        case .token(let token):
            do throws(AuthenticationFailure) {
                return try await authenticator.authenticate(token: token)
            } catch {
                // Only the right clock tells anybody that a token is too old or too new.
                if error.reason.isOfTime { try checkTime() }
                throw refusal(of: error)
            }
        }
    }

    /// - Throws: 503 as long as nobody knows what time it is for Redis: a token would be judged by a clock that may be
    ///   wrong.
    func checkTime() throws(APIError) {
        guard !time.isKnown else { return }
        throw refusal(of: StoreUnavailable(.unreachable, reason: "Redis has not told its time yet"))
    }

    private func owner(of key: PlatformKey) async throws(APIError) -> Principal {
        let found: Principal?
        do throws(StoreUnavailable) {
            found = try await keyOwners.principal(for: key)
        } catch {
            throw refusal(of: error)
        }
        guard let found else { throw refusal(of: .unknown) }
        return found
    }

    // MARK: Refusals, counted

    func refusal(of failure: AuthenticationFailure) -> APIError {
        metrics.authenticationFailure(code: failure.reason.rawValue)
        return .authentication(failure)
    }

    func refusal(of reason: KeyRefusal) -> APIError {
        metrics.authenticationFailure(code: reason.rawValue)
        return .key(reason)
    }

    func refusal(of error: StoreUnavailable) -> APIError {
        metrics.storeUnavailable(error)
        return .unavailable(cause: error.reason)
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
