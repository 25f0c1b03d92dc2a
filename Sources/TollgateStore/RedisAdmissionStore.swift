import Hiredis
import NIOCore
import RedisClient
import TollgateCore

/// Admission in Redis: one script, one round trip.
package struct RedisAdmissionStore: AdmissionStore {
    private let client: RedisClient
    private let plans: PlanTable
    private let calls: AdmissionCalls

    /// - Parameter pastDueGraceSeconds: How long a customer whose payment is owed keeps the plan.
    package init(
        client: RedisClient, plans: PlanTable,
        pastDueGraceSeconds: Int64 = PlanResolution.standardPastDueGraceSeconds
    ) {
        self.client = client
        self.plans = plans
        calls = AdmissionCalls(plans: plans, pastDueGraceSeconds: pastDueGraceSeconds)
    }

    package func admit(_ request: AdmissionRequest) async throws(StoreUnavailable) -> AdmissionDecision {
        try await decide(request, onlyTells: false)
    }

    package func peek(_ request: AdmissionRequest) async throws(StoreUnavailable) -> AdmissionDecision {
        try await decide(request, onlyTells: true)
    }

    private func decide(
        _ request: AdmissionRequest, onlyTells: Bool
    ) async throws(StoreUnavailable) -> AdmissionDecision {
        let reply = try await client.ask(calls.admission(request, onlyTells: onlyTells))
        return try decision(from: .success(reply), for: request).get()
    }

    /// The same for callers that live on an event loop of the Redis client. `completion` is called once, on it.
    package func admit(
        _ request: AdmissionRequest, on eventLoop: any EventLoop,
        completion: @escaping (Result<AdmissionDecision, StoreUnavailable>) -> Void
    ) {
        guard let connection = client.connection(on: eventLoop) else {
            return completion(.failure(StoreUnavailable(reason: "no Redis connection belongs to this event loop")))
        }
        connection.run(calls.admission(request)) { completion(self.decision(from: $0, for: request)) }
    }

    private func decision(
        from result: Result<RedisReply, RedisError>, for request: AdmissionRequest
    ) -> Result<AdmissionDecision, StoreUnavailable> {
        switch result {
        case .failure(let error): return .failure(StoreUnavailable(reason: "\(error)"))
        case .success(let reply):
            guard let decision = decision(from: reply, for: request) else {
                return .failure(.unexpectedReply(of: "admit.lua"))
            }
            return .success(decision)
        }
    }

    @discardableResult
    package func settle(
        _ reservation: Reservation, as outcome: Reservation.Outcome
    ) async throws(StoreUnavailable) -> Bool {
        let reply = try await client.ask(AdmissionCalls.settlement(reservation, outcome))
        guard let ended = reply.integer else { throw .unexpectedReply(of: "settle_reservation.lua") }
        return ended == 1
    }

    /// The same for callers that live on an event loop of the Redis client. `completion` is called once, on it.
    package func settle(
        _ reservation: Reservation, as outcome: Reservation.Outcome, on eventLoop: any EventLoop,
        completion: @escaping (Result<Bool, StoreUnavailable>) -> Void
    ) {
        guard let connection = client.connection(on: eventLoop) else {
            return completion(.failure(StoreUnavailable(reason: "no Redis connection belongs to this event loop")))
        }
        connection.run(AdmissionCalls.settlement(reservation, outcome)) { result in
            switch result {
            case .failure(let error): completion(.failure(StoreUnavailable(reason: "\(error)")))
            case .success(.integer(let ended)): completion(.success(ended == 1))
            case .success: completion(.failure(.unexpectedReply(of: "settle_reservation.lua")))
            }
        }
    }

    /// Reads the script's reply: six numbers, and two more when there was more than a session token to look at. Nil
    /// when it has another form.
    private func decision(from reply: RedisReply, for request: AdmissionRequest) -> AdmissionDecision? {
        guard let numbers = reply.array?.compactMap({ $0.integer }), numbers.count == 6 || numbers.count == 8,
            let outcome = AdmissionDecision.Outcome(scriptCode: numbers[0]),
            plans.plans.indices.contains(Int(numbers[2]))
        else { return nil }
        let plan = plans.plans[Int(numbers[2])]
        let day = Int(numbers[5])
        let period = BillingPeriod(
            containing: CalendarDay(year: day / 10_000, month: day / 100 % 100, day: day % 100))
        return AdmissionDecision(
            outcome: outcome,
            usage: UsageSnapshot(count: Int(numbers[1]), limit: plan.quota, plan: plan.name, period: period),
            rate: RateSnapshot(
                count: Int(numbers[3]), limit: plan.ratePerMinute, window: RateWindow(containing: request.time)),
            planIsUnknown: numbers[4] == 1, isRepeat: numbers.count == 8 && numbers[7] == 1,
            reservation: numbers.count == 8 ? reservation(for: request, calls: Int(numbers[6]), period) : nil)
    }

    private func reservation(for request: AdmissionRequest, calls: Int, _ period: BillingPeriod) -> Reservation? {
        guard let wish = request.reservation, calls > 0 else { return nil }
        return Reservation(
            id: wish.id, userID: request.principal.userID, calls: calls, period: period,
            idempotencyKey: request.idempotentCall?.key)
    }
}

extension AdmissionDecision.Outcome {
    fileprivate init?(scriptCode: Int64) {
        switch scriptCode {
        case 1: self = .admitted
        case 2: self = .rateLimited
        case 3: self = .quotaExceeded
        case 4: self = .keyRefused(.unknown)
        case 5: self = .keyRefused(.revoked)
        case 6: self = .keyRefused(.expired)
        case 7: self = .keyRefused(.scopeMissing)
        case 8: self = .idempotencyKeyReused
        default: return nil
        }
    }
}
