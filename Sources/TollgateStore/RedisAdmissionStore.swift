import Hiredis
package import NIOCore
package import RedisClient
package import TollgateCore

/// Admission in Redis: one script, one round trip.
package struct RedisAdmissionStore: AdmissionStore {
    let client: RedisClient
    private let arguments: AdmissionArgumentsInForce
    private let clock: RedisClock?
    private let maximumGroup: Int
    private let answered: (@Sendable (_ nanoseconds: Int64) -> Void)?

    /// How many requests go together at most unless told otherwise.
    package static let standardMaximumGroup = 256

    /// How long a request waits at most for the reply to a call of the same kind. More than a busy Redis takes on the same
    /// network, and less than is felt where it is far away.
    static let maximumWaitForGroup: TimeAmount = .milliseconds(3)

    /// - Parameters:
    ///   - plans: May be replaced: the next admission goes by them.
    ///   - pastDueGraceSeconds: How long a customer whose payment is owed keeps the plan.
    ///   - clock: Where the time of the requests comes from. What is written for good is compared with Redis' own time,
    ///     and when that is another, this clock is set before the caller is told. Nil for requests of any time.
    ///   - maximumGroup: How many requests that are alike go to Redis together at most, from 1.
    ///   - crossings: Is told who comes to a threshold of a quota. Nil where nobody wants to know.
    ///   - answered: Is told how long Redis took for each call that decides on requests of an event loop, if it answered.
    package init(
        client: RedisClient, plans: InForce<PlanTable>,
        pastDueGraceSeconds: Int64 = PlanResolution.standardPastDueGraceSeconds, clock: RedisClock? = nil,
        maximumGroup: Int = standardMaximumGroup, crossings: QuotaCrossings? = nil,
        answered: (@Sendable (_ nanoseconds: Int64) -> Void)? = nil
    ) {
        self.answered = answered
        self.client = client
        self.clock = clock
        self.maximumGroup = maximumGroup
        arguments = AdmissionArgumentsInForce(
            plans: plans, pastDueGraceSeconds: pastDueGraceSeconds, comparesClocks: clock != nil,
            crossings: crossings)
    }

    /// With plans that stay as they are.
    package init(
        client: RedisClient, plans: PlanTable,
        pastDueGraceSeconds: Int64 = PlanResolution.standardPastDueGraceSeconds, clock: RedisClock? = nil,
        crossings: QuotaCrossings? = nil
    ) {
        self.init(
            client: client, plans: InForce(plans), pastDueGraceSeconds: pastDueGraceSeconds, clock: clock,
            crossings: crossings)
    }

    /// What the next call is given.
    var currentArguments: AdmissionArguments { arguments.current }

    /// Who has called for the first time on a day, to be added to the index of users.
    package var firstCallers: FirstCallers { arguments.firstCallers }

    package func admit(_ request: AdmissionRequest) async throws(StoreUnavailable) -> AdmissionDecision {
        try await decide(request, onlyTells: false)
    }

    package func peek(_ request: AdmissionRequest) async throws(StoreUnavailable) -> AdmissionDecision {
        try await decide(request, onlyTells: true)
    }

    private func decide(
        _ request: AdmissionRequest, onlyTells: Bool
    ) async throws(StoreUnavailable) -> AdmissionDecision {
        let result: Result<AdmissionDecision, StoreUnavailable>
        do {
            result = try await client.call { [arguments = currentArguments, clock] link, identifier, waiter in
                let call = AdmissionCall(request, arguments, onlyTells: onlyTells) { result in
                    Self.setting(clock, after: result, on: link) { waiter(.success(result.alone)) }
                }
                link.run(call, identifier: identifier)
            }
        } catch {
            throw StoreUnavailable(error)
        }
        return try result.get()
    }

    /// Goes on when `clock` is set, if `result` says that it is wrong.
    fileprivate static func setting(
        _ clock: RedisClock?, after result: Result<GroupDecision?, StoreUnavailable>,
        on link: any RedisLink, _ goOn: @escaping () -> Void
    ) {
        guard let clock, case .failure(let error) = result, error.cause == .clockDiffers else { return goOn() }
        clock.synchronize(on: link, completion: goOn)
    }

    @discardableResult
    package func settle(
        _ reservation: Reservation, as outcome: Reservation.Outcome
    ) async throws(StoreUnavailable) -> Bool {
        let reply = try await client.ask(RedisScript.Call.settlement(reservation, outcome))
        guard let outcome = RedisScript.Call.settleScript.outcome(of: reply) else {
            throw RedisScript.Call.settleScript.unexpectedReply()
        }
        return outcome == .ended
    }

    /// Gives `reservation` time until `leaseEnd`, if it has not ended.
    ///
    /// - Returns: False when it had ended before.
    package func renew(
        _ reservation: Reservation, until leaseEnd: UnixTime
    ) async throws(StoreUnavailable) -> Bool {
        let reply = try await client.ask(RedisScript.Call.renewal(reservation, until: leaseEnd))
        return RedisScript.Call.renewScript.outcome(of: reply) == .renewed
    }

    /// The store as `eventLoop` has it. Nil when the loop is none of the Redis client's.
    package func port(on eventLoop: any EventLoop) -> (any AdmissionPort)? {
        client.link(on: eventLoop).map { link in
            RedisAdmissionPort(
                link: link, arguments: arguments, clock: clock, maximumGroup: maximumGroup, answered: answered)
        }
    }
}

/// ``RedisAdmissionStore`` on one event loop: over the loop's own link, without a hop. Admissions that are alike go
/// together.
private final class RedisAdmissionPort: AdmissionPort, @unchecked Sendable {
    // @unchecked Sendable, reason: a port is used on its event loop only, which the link checks.

    private let link: any RedisLink
    private let argumentsInForce: AdmissionArgumentsInForce
    private var latestArguments: AdmissionArguments
    private let clock: RedisClock?
    private let formsGroups: Bool
    private var groups: AdmissionGroups
    private var isEndOfTickAwaited = false
    private var isTimerSet = false

    private let answered: (@Sendable (_ nanoseconds: Int64) -> Void)?

    init(
        link: any RedisLink, arguments: AdmissionArgumentsInForce, clock: RedisClock?, maximumGroup: Int,
        answered: (@Sendable (_ nanoseconds: Int64) -> Void)?
    ) {
        self.link = link
        argumentsInForce = arguments
        latestArguments = arguments.current
        self.clock = clock
        self.answered = answered
        formsGroups = maximumGroup > 1
        groups = AdmissionGroups(
            maximumCount: maximumGroup, maximumWait: RedisAdmissionStore.maximumWaitForGroup.nanoseconds)
    }

    /// Those for the plans that are in force, asked for anew only when these have changed.
    private var arguments: AdmissionArguments {
        if latestArguments.generation != argumentsInForce.generation { latestArguments = argumentsInForce.current }
        return latestArguments
    }

    func admit(
        _ request: AdmissionRequest, completion: @escaping (Result<AdmissionDecision, StoreUnavailable>) -> Void
    ) {
        guard formsGroups, request.mayShareCall else { return admitAlone(request, completion: completion) }
        groups.join(request, completion)
        awaitEndOfTick()
    }

    private func admitAlone(_ request: AdmissionRequest, completion: @escaping AdmissionGroups.Caller) {
        let sentAt = NIODeadline.now()
        link.run(
            AdmissionCall(request, arguments) { [clock, link, answered] result in
                if case .success = result { answered?((NIODeadline.now() - sentAt).nanoseconds) }
                RedisAdmissionStore.setting(clock, after: result, on: link) { completion(result.alone) }
            })
    }

    // MARK: Groups

    private func awaitEndOfTick() {
        guard groups.awaitsEndOfTick, !isEndOfTickAwaited else { return }
        isEndOfTickAwaited = true
        link.eventLoop.assumeIsolated().execute { self.tickEnds() }
    }

    private func tickEnds() {
        isEndOfTickAwaited = false
        groups.endTick(at: Int64(NIODeadline.now().uptimeNanoseconds))
        while let group = groups.nextLeaving() { send(group) }
        setTimer()
    }

    /// One timer for all groups that wait.
    private func setTimer() {
        guard !isTimerSet, let end = groups.nextWaitEnd else { return }
        isTimerSet = true
        link.eventLoop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(UInt64(end))) {
            self.isTimerSet = false
            self.groups.endWait(at: Int64(NIODeadline.now().uptimeNanoseconds))
            self.awaitEndOfTick()
            self.setTimer()
        }
    }

    private func send(_ group: AdmissionGroups.Group) {
        let sentAt = NIODeadline.now()
        link.run(
            AdmissionCall(
                group.request, arguments, callers: group.count, hasOneAddress: group.hasOneAddress
            ) { result in
                if case .success = result { self.answered?((NIODeadline.now() - sentAt).nanoseconds) }
                self.groups.answered(group)
                self.awaitEndOfTick()
                guard case .failure = result else { return self.answer(group, result) }
                RedisAdmissionStore.setting(self.clock, after: result, on: self.link) { self.answer(group, result) }
            })
    }

    private func answer(
        _ group: AdmissionGroups.Group, _ result: Result<GroupDecision?, StoreUnavailable>
    ) {
        switch result {
        case .failure(let error):
            group.first(.failure(error))
            for other in group.others { other.caller(.failure(error)) }
        case .success(let decision?):
            group.first(.success(decision[0]))
            for (place, other) in group.others.enumerated() { other.caller(.success(decision[place + 1])) }
        case .success(nil):
            groups.isBound(group.request.principal)
            admitAlone(group.request, completion: group.first)
            for other in group.others { admitAlone(other.request, completion: other.caller) }
        }
    }

    // MARK: What else a request asks

    func settle(
        _ reservation: Reservation, as outcome: Reservation.Outcome,
        completion: @escaping (Result<Bool, StoreUnavailable>) -> Void
    ) {
        let call = RedisScript.Call.settlement(reservation, outcome)
        link.run(call) { result in
            switch result {
            case .failure(let error): completion(.failure(StoreUnavailable(error, keys: call.keys)))
            case .success(let reply):
                let script = RedisScript.Call.settleScript
                guard let outcome = script.outcome(of: reply) else {
                    return completion(.failure(script.unexpectedReply()))
                }
                completion(.success(outcome == .ended))
            }
        }
    }

    func renew(
        _ reservation: Reservation, until leaseEnd: UnixTime,
        completion: @escaping (Result<Bool, StoreUnavailable>) -> Void
    ) {
        link.run(RedisScript.Call.renewal(reservation, until: leaseEnd)) { result in
            switch result {
            case .failure(let error): completion(.failure(StoreUnavailable(error)))
            case .success(let reply):
                let script = RedisScript.Call.renewScript
                guard let outcome = script.outcome(of: reply) else {
                    return completion(.failure(script.unexpectedReply()))
                }
                completion(.success(outcome == .renewed))
            }
        }
    }

    func storedAnswer(
        of call: IdempotentCall, by user: UserID,
        completion: @escaping (Result<StoredAnswer?, StoreUnavailable>) -> Void
    ) {
        let command = RedisCommand("HMGET", .idempotency(user, key: call.key), "status", "head", "body")
        link.send(command) { result in
            switch result {
            case .failure(let error): completion(.failure(StoreUnavailable(error)))
            case .success(.array(let fields)): completion(.success(StoredAnswer(fields)))
            case .success: completion(.failure(.unexpectedReply(of: "HMGET")))
            }
        }
    }

    func redeem(
        _ ticket: Ticket, at time: UnixTime, completion: @escaping (Result<Principal?, StoreUnavailable>) -> Void
    ) {
        RedisTicketStore.use(ticket, at: time, over: link, completion: completion)
    }
}

extension Result<GroupDecision?, StoreUnavailable> {
    /// What was decided on a request that went alone.
    fileprivate var alone: Result<AdmissionDecision, StoreUnavailable> {
        flatMap { $0.map { .success($0[0]) } ?? .failure(.unexpectedReply(of: "admit.lua")) }
    }
}

extension StoredAnswer {
    /// Nil when a field is missing, or another client of Redis has changed it.
    fileprivate init?(_ fields: [RedisReply]) {
        guard fields.count == 3, let status = fields[0].string.flatMap(Int.init), (200...599).contains(status),
            case .bytes(let head) = fields[1], case .bytes(let body) = fields[2], Self.isHead(head)
        else { return nil }
        self.init(status: status, head: head, body: body)
    }

    /// It goes over the wire as it stands: a status line and fields, each with its end, and nothing between two of them.
    private static func isHead(_ bytes: [UInt8]) -> Bool {
        let text = String(decoding: bytes, as: UTF8.self)
        return text.hasPrefix("HTTP/1.1 ") && text.hasSuffix("\r\n") && !text.contains("\r\n\r\n")
            && !text.replacing("\r\n", with: "").contains { $0 == "\r" || $0 == "\n" }
    }
}
