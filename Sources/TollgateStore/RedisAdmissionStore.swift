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

    /// Gives `reservation` time until `leaseEnd`, if it has not ended.
    ///
    /// - Returns: True, once Redis has heard of it.
    package func renew(
        _ reservation: Reservation, until leaseEnd: UnixTime
    ) async throws(StoreUnavailable) -> Bool {
        try await client.ask(RedisScript.Call.renewal(reservation, until: leaseEnd)).integer == 1
    }

    /// The same for callers that live on an event loop of the Redis client. Whether it succeeds makes no difference
    /// to the request: without it the calls go back though it is in work.
    package func renew(_ reservation: Reservation, until leaseEnd: UnixTime, on eventLoop: any EventLoop) {
        client.connection(on: eventLoop)?.run(RedisScript.Call.renewal(reservation, until: leaseEnd)) { _ in }
    }

    /// The answer that a repeat of `call` is to be given. Nil when it is kept no more. `completion` is called once, on
    /// `eventLoop`, which is one of the Redis client's.
    package func storedAnswer(
        of call: IdempotentCall, by user: UserID, on eventLoop: any EventLoop,
        completion: @escaping (Result<StoredAnswer?, StoreUnavailable>) -> Void
    ) {
        guard let connection = client.connection(on: eventLoop) else {
            return completion(.failure(StoreUnavailable(reason: "no Redis connection belongs to this event loop")))
        }
        let command = RedisCommand("HMGET", Keys.idempotency(user, key: call.key), "status", "head", "body")
        connection.send(command) { result in
            switch result {
            case .failure(let error): completion(.failure(StoreUnavailable(reason: "\(error)")))
            case .success(.array(let fields)): completion(.success(StoredAnswer(fields)))
            case .success: completion(.failure(.unexpectedReply(of: "HMGET")))
            }
        }
    }
}

extension StoredAnswer {
    /// Nil when a field is missing, or a person has been at it.
    fileprivate init?(_ fields: [RedisReply]) {
        guard fields.count == 3, let status = fields[0].string.flatMap(Int.init), (200...599).contains(status),
            case .bytes(let head) = fields[1], case .bytes(let body) = fields[2]
        else { return nil }
        self.init(status: status, head: head, body: body)
    }
}
