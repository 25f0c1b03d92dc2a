import Hiredis
import NIOCore
import RedisClient
import TollgateCore

/// Admission in Redis: one script, one round trip.
package struct RedisAdmissionStore: AdmissionStore {
    private let client: RedisClient
    private let arguments: AdmissionArguments

    /// - Parameter pastDueGraceSeconds: How long a customer whose payment is owed keeps the plan.
    package init(
        client: RedisClient, plans: PlanTable,
        pastDueGraceSeconds: Int64 = PlanResolution.standardPastDueGraceSeconds
    ) {
        self.client = client
        arguments = AdmissionArguments(plans: plans, pastDueGraceSeconds: pastDueGraceSeconds)
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
        let arguments = arguments
        let result: Result<AdmissionDecision, StoreUnavailable>
        do {
            result = try await client.call { connection, identifier, waiter in
                let call = AdmissionCall(request, arguments, onlyTells: onlyTells) { waiter(.success($0)) }
                connection.run(call, identifier: identifier)
            }
        } catch {
            throw StoreUnavailable(reason: "\(error)")
        }
        return try result.get()
    }

    /// The same for callers that live on an event loop of the Redis client. `completion` is called once, on it.
    package func admit(
        _ request: AdmissionRequest, on eventLoop: any EventLoop,
        completion: @escaping (Result<AdmissionDecision, StoreUnavailable>) -> Void
    ) {
        guard let connection = client.connection(on: eventLoop) else {
            return completion(.failure(StoreUnavailable(reason: "no Redis connection belongs to this event loop")))
        }
        connection.run(AdmissionCall(request, arguments, completion: completion))
    }

    @discardableResult
    package func settle(
        _ reservation: Reservation, as outcome: Reservation.Outcome
    ) async throws(StoreUnavailable) -> Bool {
        let reply = try await client.ask(RedisScript.Call.settlement(reservation, outcome))
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
        connection.run(RedisScript.Call.settlement(reservation, outcome)) { result in
            switch result {
            case .failure(let error): completion(.failure(StoreUnavailable(reason: "\(error)")))
            case .success(.integer(let ended)): completion(.success(ended == 1))
            case .success: completion(.failure(.unexpectedReply(of: "settle_reservation.lua")))
            }
        }
    }
}
