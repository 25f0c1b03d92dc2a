package import HTTPTypes
package import TollgateCore

/// Lets callers in to the control plane's endpoints, or says why not: does what an ``AdmissionFlow`` says, with `await`.
/// The order is that of front-auth-api: 401, 429, 403.
///
/// A class, so that every endpoint shares it instead of copying its parts.
package final class Gatekeeper: Sendable {
    private let admission: AdmissionState
    private let store: any AdmissionStore
    private let reservations: ReservationKeeper
    package let time: any TimeSource

    package init(
        admission: AdmissionState, store: any AdmissionStore, time: any TimeSource, reservations: ReservationKeeper
    ) {
        self.admission = admission
        self.store = store
        self.time = time
        self.reservations = reservations
    }

    // MARK: Callers who are let in

    /// What the control plane's endpoints do for a caller who is let in: the only way in which they charge. A call whose
    /// `work` fails is given back, so that whatever is refused costs nothing; its place in the minute is not.
    ///
    /// - Parameters:
    ///   - network: Where the request comes from.
    ///   - work: What is done for the caller.
    /// - Throws: The refusal, ready to be answered.
    package func serve<Value>(
        _ headers: HTTPFields, _ policy: AdmissionPolicy, from network: ClientNetwork,
        _ work: (AdmittedCaller) async throws -> Value
    ) async throws(APIError) -> Value {
        try await serve(try presented(headers, from: network), policy, from: network, work)
    }

    /// The same for what was read from the headers already.
    package func serve<Value>(
        _ credential: PresentedCredential, _ policy: AdmissionPolicy, from network: ClientNetwork,
        _ work: (AdmittedCaller) async throws -> Value
    ) async throws(APIError) -> Value {
        var run = FlowRun(policy, self, from: network)
        let admitted = try await run.admitted(after: run.begin(credential))
        do {
            let value = try await work(admitted)
            await run.reservation?.end(as: .keep)
            return value
        } catch {
            await run.reservation?.end(as: .giveBack)
            throw admitted.refusal(of: error)
        }
    }

    /// Where the caller's limits stand, whether or not a call would pass. Charges nothing and takes no place in the
    /// minute.
    ///
    /// - Throws: The refusal of a caller who is not let in at all.
    package func limits(_ headers: HTTPFields, from network: ClientNetwork) async throws(APIError) -> AdmittedCaller {
        var run = FlowRun(.onlyTelling, self, from: network)
        return try await run.admitted(after: run.begin(try presented(headers, from: network)))
    }

    /// The same for a caller who is known already.
    package func limits(of principal: Principal, from network: ClientNetwork) async throws(APIError) -> AdmittedCaller {
        var run = FlowRun(.onlyTelling, self, from: network)
        return try await run.admitted(after: run.begin(principal))
    }

    // MARK: Callers who are only known

    /// What the caller presents, not verified yet.
    ///
    /// - Throws: The refusal of a request that presents nothing, several things, or a key that cannot be one.
    package func presented(_ headers: HTTPFields, from network: ClientNetwork) throws(APIError) -> PresentedCredential {
        try AdmissionFlow(.endpoint, .onlyTelling, admission).presented(headers, at: time.now(), from: network)
    }

    /// The caller. Of a key it is only found out whom it names: whether it is good is part of the admission.
    ///
    /// - Throws: The refusal, ready to be answered.
    package func principal(
        _ credential: PresentedCredential, from network: ClientNetwork
    ) async throws(APIError) -> Principal {
        var run = FlowRun(.onlyTelling, self, from: network)
        return try await run.question(after: run.begin(credential)).principal
    }

    /// - Throws: The refusal of what bears a key, from a network that too many wrong ones have come from.
    package func checkUnread(_ headers: HTTPFields, from network: ClientNetwork) throws(APIError) {
        guard headers.bearKey else { return }
        let flow = AdmissionFlow(.endpoint, .onlyTelling, admission)
        if let refusal = flow.guessRefusal(at: time.now(), from: network) { throw refusal }
    }

    package func refusal(of error: StoreUnavailable) -> APIError { admission.refusal(of: error) }

    // MARK: The flow

    /// One request's way through its flow.
    private struct FlowRun {
        private let gatekeeper: Gatekeeper
        private let network: ClientNetwork
        private var flow: AdmissionFlow

        /// The call in progress, until it has ended.
        private(set) var reservation: ReservationKeeper.Kept?

        init(_ policy: AdmissionPolicy, _ gatekeeper: Gatekeeper, from network: ClientNetwork) {
            self.gatekeeper = gatekeeper
            self.network = network
            flow = AdmissionFlow(.endpoint, policy, gatekeeper.admission)
        }

        private var now: AdmissionFlow.ClockReading { gatekeeper.time.reading }

        mutating func begin(_ credential: PresentedCredential) -> AdmissionFlow.Action {
            flow.begin(credential, at: now, from: network)
        }

        mutating func begin(_ principal: Principal) -> AdmissionFlow.Action {
            flow.verified(.success(principal), at: now, from: network)
        }

        /// Goes on until the store is to be asked.
        mutating func question(after first: AdmissionFlow.Action) async throws(APIError) -> AdmissionRequest {
            var action = first
            if case .verify(let credential) = action {
                let result = await gatekeeper.admission.verify(credential)
                action = flow.verified(result, at: now, from: network)
            }
            guard case .ask(let request) = action else { throw Self.refusal(action) }
            AccessFacts.current?.caller(request.principal.userID.value, plan: nil)
            return request
        }

        /// Goes on until the caller is let in, or is not.
        mutating func admitted(after first: AdmissionFlow.Action) async throws(APIError) -> AdmittedCaller {
            var action = AdmissionFlow.Action.ask(try await question(after: first))
            while case .ask(let request) = action {
                let result = await gatekeeper.answer(to: request, onlyTells: flow.policy.onlyTells)
                reservation = (try? result.get().reservation).flatMap {
                    gatekeeper.reservations.keep($0, leaseSeconds: flow.policy.leaseSeconds)
                }
                action = flow.decided(result, at: now)
                if let plan = flow.plan { AccessFacts.current?.caller(request.principal.userID.value, plan: plan) }
            }
            guard case .admit = action, let admitted = flow.admitted else { throw Self.refusal(action) }
            return admitted
        }

        private static func refusal(_ action: AdmissionFlow.Action) -> APIError {
            if case .refuse(let error) = action { return error }
            return .internalError(cause: "an endpoint's admission has taken a turn that it cannot take")
        }
    }

    private func answer(
        to request: AdmissionRequest, onlyTells: Bool
    ) async -> Result<AdmissionDecision, StoreUnavailable> {
        do throws(StoreUnavailable) {
            return .success(onlyTells ? try await store.peek(request) : try await store.admit(request))
        } catch {
            return .failure(error)
        }
    }
}

extension HTTPFields {
    /// Whether they bear what may be a key.
    fileprivate var bearKey: Bool {
        self[.xAPIKey] != nil || self[.authorization].map(PresentedCredential.holdsKey) == true
    }
}
