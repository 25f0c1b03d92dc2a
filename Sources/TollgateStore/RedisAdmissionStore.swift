import Hiredis
import NIOCore
import RedisClient
import TollgateCore

/// Admission in Redis: one script, one round trip.
package struct RedisAdmissionStore: AdmissionStore {
    /// How long a usage record outlives its period, for whoever looks at it afterwards.
    private static let recordKeptSeconds: Int64 = 31 * 86_400

    private static let script = RedisScript(resource: PackageResources.admit_lua)

    private let client: RedisClient
    private let plans: PlanTable
    private let pastDueGraceSeconds: Int64
    private let planArguments: [String]

    /// - Parameter pastDueGraceSeconds: How long a customer whose payment is owed keeps the plan.
    package init(
        client: RedisClient, plans: PlanTable,
        pastDueGraceSeconds: Int64 = PlanResolution.standardPastDueGraceSeconds
    ) {
        self.client = client
        self.plans = plans
        self.pastDueGraceSeconds = pastDueGraceSeconds
        planArguments =
            [plans.fallback.name] + plans.plans.flatMap { [$0.name, "\($0.quota)", "\($0.ratePerMinute)"] }
    }

    package func admit(_ request: AdmissionRequest) async throws(StoreUnavailable) -> AdmissionDecision {
        let result: Result<RedisReply, RedisError>
        do {
            result = .success(try await client.run(call(for: request)))
        } catch {
            result = .failure(error)
        }
        return try decision(from: result, for: request).get()
    }

    /// The same for callers that live on an event loop of the Redis client. `completion` is called once, on it.
    package func admit(
        _ request: AdmissionRequest, on eventLoop: any EventLoop,
        completion: @escaping (Result<AdmissionDecision, StoreUnavailable>) -> Void
    ) {
        guard let connection = client.connection(on: eventLoop) else {
            return completion(.failure(StoreUnavailable(reason: "no Redis connection belongs to this event loop")))
        }
        connection.run(call(for: request)) { completion(self.decision(from: $0, for: request)) }
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

    /// The script call that decides `request`.
    package func call(for request: AdmissionRequest) -> RedisScript.Call {
        let user = request.principal.userID
        let period = BillingPeriod(containing: request.time)
        let recordLifetime = period.end.seconds - request.time.seconds + Self.recordKeptSeconds
        return RedisScript.Call(
            Self.script,
            keys: [
                Keys.rateLimit(user, RateWindow(containing: request.time)), Keys.usage(user), Keys.subscription(user),
            ],
            arguments: [
                "\(request.cost)", request.quotaPolicy == .enforce ? "1" : "0", period.firstDay.description,
                period.lastDay.description, request.time.iso8601, "\(recordLifetime)",
                request.principal.claimedPlan ?? "", request.principal.issuedAt?.iso8601 ?? "",
                UnixTime(seconds: max(0, request.time.seconds - pastDueGraceSeconds)).iso8601,
            ] + planArguments)
    }

    /// Reads the script's reply. Nil when it has another form.
    package func decision(from reply: RedisReply, for request: AdmissionRequest) -> AdmissionDecision? {
        guard let numbers = reply.array?.compactMap({ $0.integer }), numbers.count == 6,
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
            planIsUnknown: numbers[4] == 1)
    }
}

extension AdmissionDecision.Outcome {
    fileprivate init?(scriptCode: Int64) {
        switch scriptCode {
        case 1: self = .admitted
        case 2: self = .rateLimited
        case 3: self = .quotaExceeded
        default: return nil
        }
    }
}
