import Hiredis
import NIOCore
import RedisClient
import TollgateCore

/// One admission on its way: which keys and arguments `admit.lua` is given, and whom its answer goes to.
final class AdmissionCall: DirectScriptCall {
    /// How much there is to look at. The script tells the forms apart by the number of keys. A key claims no plan.
    private enum Form {
        case token
        case key
        case everything
    }

    private let request: AdmissionRequest
    private let arguments: AdmissionArguments
    private let moment: AdmissionArguments.Moment
    private let onlyTells: Bool
    private let form: Form
    private let completion: (Result<AdmissionDecision, StoreUnavailable>) -> Void

    /// - Parameters:
    ///   - onlyTells: Charge nothing.
    ///   - completion: Called once.
    init(
        _ request: AdmissionRequest, _ arguments: AdmissionArguments, onlyTells: Bool = false,
        completion: @escaping (Result<AdmissionDecision, StoreUnavailable>) -> Void
    ) {
        self.request = request
        self.arguments = arguments
        self.onlyTells = onlyTells
        self.completion = completion
        moment = arguments.moment(at: request.time)
        form =
            if onlyTells || request.needsMoreThanACredential {
                .everything
            } else {
                request.principal.credential.isKey ? .key : .token
            }
    }

    var script: RedisScript { arguments.script }

    var keyCount: Int {
        switch form {
        case .token: 3
        case .key: 4
        case .everything: 6
        }
    }

    var argumentCount: Int {
        switch form {
        case .token: 4 + AdmissionArguments.Moment.argumentCount
        case .key: 5 + AdmissionArguments.Moment.argumentCount
        case .everything: 16 + AdmissionArguments.Moment.argumentCount
        }
    }

    var hashTag: String? { request.principal.userID.value }

    func writeKeys(to buffer: inout ByteBuffer) {
        let user = request.principal.userID
        RedisKey.rateLimit(user, minute: moment.minute).write(to: &buffer)
        RedisKey.usage(user).write(to: &buffer)
        RedisKey.subscription(user).write(to: &buffer)
        if form != .token { writeCredentialKey(to: &buffer) }
        if form == .everything { writeFurtherKeys(to: &buffer) }
    }

    func writeArguments(to buffer: inout ByteBuffer) {
        buffer.writeArgument(request.cost)
        buffer.writeArgument(request.route)
        buffer.writeImmutableBuffer(moment.arguments)
        if form != .token { writeKeyArguments(to: &buffer) }
        if form != .key { writeTokenArguments(to: &buffer) }
        if form == .everything { writeFurtherArguments(to: &buffer) }
    }

    func finish(_ result: Result<IntegerReply?, RedisError>) {
        switch result {
        case .failure(let error): completion(.failure(StoreUnavailable(error)))
        case .success(let reply):
            guard let reply else { return completion(.failure(.unexpectedReply(of: "admit.lua"))) }
            guard reply.count != 1 || reply[0] != Self.clockDiffers else {
                let reason = "the worker's time, \(request.time.iso8601), is not that of Redis"
                return completion(.failure(StoreUnavailable(.clockDiffers, reason: reason)))
            }
            guard let decision = decision(from: reply) else {
                return completion(.failure(.unexpectedReply(of: "admit.lua")))
            }
            completion(.success(decision))
        }
    }
}

// MARK: Further keys and arguments

extension AdmissionCall {
    private func writeCredentialKey(to buffer: inout ByteBuffer) {
        let user = request.principal.userID
        switch request.principal.credential {
        case .token: RedisKey.usage(user).write(to: &buffer)
        case .secretKey(let id, _, _): RedisKey.key(id, of: user).write(to: &buffer)
        case .platformKey: RedisKey.apiKey(of: user).write(to: &buffer)
        }
    }

    private func writeFurtherKeys(to buffer: inout ByteBuffer) {
        let user = request.principal.userID
        let unused = RedisKey.usage(user)
        (request.idempotentCall.map { .idempotency(user, key: $0.key) } ?? unused).write(to: &buffer)
        (request.routeLimit.map { .rateLimit(user, route: $0.route, minute: moment.minute) } ?? unused)
            .write(to: &buffer)
    }

    private func writeTokenArguments(to buffer: inout ByteBuffer) {
        buffer.writeArgument(request.principal.claimedPlan ?? "")
        if let issuedAt = request.principal.issuedAt {
            buffer.writeArgument(issuedAt)
        } else {
            buffer.writeArgument("")
        }
    }

    private func writeKeyArguments(to buffer: inout ByteBuffer) {
        switch request.principal.credential {
        case .token:
            buffer.writeArgument("")
            buffer.writeArgument("")
        case .secretKey(_, _, let hash):
            buffer.writeArgument("key")
            buffer.writeArgument(hash.hex)
        case .platformKey(let fingerprint, _):
            buffer.writeArgument("platform")
            buffer.writeArgument(fingerprint)
        }
        let scopes = request.scopesToCheck
        switch scopes.count {
        case 0: buffer.writeArgument("")
        case 1: buffer.writeArgument(scopes[0].value)
        default: buffer.writeArgument(scopes.map(\.value).joined(separator: " "))
        }
    }

    private func writeFurtherArguments(to buffer: inout ByteBuffer) {
        func after(_ seconds: Int64?) -> String { seconds.map { request.time.adding(seconds: $0).iso8601 } ?? "" }
        buffer.writeArgument(request.quotaPolicy == .enforce ? 1 : 0)
        buffer.writeArgument(onlyTells ? 1 : 0)
        buffer.writeArgument(request.idempotentCall?.fingerprint ?? "")
        buffer.writeArgument(after(request.idempotentCall.map { _ in IdempotentCall.keptSeconds }))
        buffer.writeArgument(request.reservation?.id ?? "")
        buffer.writeArgument(after(request.reservation?.leaseSeconds))
        buffer.writeArgument(request.reservation?.givesBack == true ? 1 : 0)
        buffer.writeArgument(request.routeLimit.map { String($0.ratePerMinute) } ?? "")
        buffer.writeArgument(IdempotentCall.maximumCount)
    }
}

extension AdmissionRequest {
    fileprivate var needsMoreThanACredential: Bool {
        idempotentCall != nil || reservation != nil || routeLimit != nil || quotaPolicy != .enforce
    }

    /// Those of the required scopes that the script looks at.
    fileprivate var scopesToCheck: [KeyScope] {
        guard case .platformKey = principal.credential, !requiredScopes.isEmpty else { return requiredScopes }
        return requiredScopes.filter(KeyScope.management.contains)
    }
}

// MARK: The answer

extension AdmissionCall {
    /// The outcome that says that clocks differ.
    private static let clockDiffers: Int64 = 11

    /// Nil when the reply has another form than this version knows.
    private func decision(from numbers: IntegerReply) -> AdmissionDecision? {
        if numbers.count == 1 { return refusal(scriptCode: numbers[0]) }
        guard numbers.count == (form == .everything ? 9 : 6), form != .everything || numbers.text != nil else {
            return nil
        }
        guard let outcome = AdmissionDecision.Outcome(scriptCode: numbers[0]),
            arguments.plans.indices.contains(Int(numbers[2]))
        else { return nil }
        let plan = arguments.plans[Int(numbers[2])]
        let period = numbers[5] == 0 ? moment.period : BillingPeriod(containing: CalendarDay(number: Int(numbers[5])))
        let isLong = form == .everything
        return AdmissionDecision(
            outcome: outcome,
            usage: UsageSnapshot(count: Int(numbers[1]), limit: plan.quota, plan: plan.name, period: period),
            rate: RateSnapshot(count: Int(numbers[3]), limit: plan.ratePerMinute, window: moment.window),
            routeRate: request.routeLimit.map {
                RateSnapshot(count: Int(numbers[8]), limit: $0.ratePerMinute, window: moment.window)
            },
            oddities: Oddities(rawValue: Int(numbers[4])), isRepeat: isLong && numbers[7] == 1,
            reservation: isLong && outcome == .admitted
                ? reservation(of: Int(numbers[6]), record: numbers.text ?? "") : nil)
    }

    /// Of a key that is not let in, nothing is told.
    private func refusal(scriptCode: Int64) -> AdmissionDecision? {
        guard case .keyRefused(let reason) = AdmissionDecision.Outcome(scriptCode: scriptCode) else { return nil }
        let plan = arguments.fallback
        return AdmissionDecision(
            outcome: .keyRefused(reason),
            usage: UsageSnapshot(count: 0, limit: plan.quota, plan: plan.name, period: moment.period),
            rate: RateSnapshot(count: 0, limit: plan.ratePerMinute, window: moment.window),
            routeRate: request.routeLimit.map {
                RateSnapshot(count: 0, limit: $0.ratePerMinute, window: moment.window)
            })
    }

    /// Nil when nothing hangs on the outcome of the request.
    private func reservation(of calls: Int, record: String) -> Reservation? {
        guard let wish = request.reservation, calls > 0 || request.idempotentCall != nil else { return nil }
        return Reservation(
            id: wish.id, userID: request.principal.userID, calls: calls, record: record,
            idempotencyKey: request.idempotentCall?.key)
    }
}

extension CalendarDay {
    /// - Parameter number: YYYYMMDD.
    fileprivate init(number: Int) {
        self.init(year: number / 10_000, month: number / 100 % 100, day: number % 100)
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
        case 9: self = .idempotencyKeyInUse
        case 10: self = .replayed
        default: return nil
        }
    }
}
