import Hiredis
import NIOCore
import RedisClient
import TollgateCore

/// One admission on its way: which keys and arguments `admit.lua` is given, and whom its answer goes to.
final class AdmissionCall: DirectScriptCall {
    private let request: AdmissionRequest
    private let arguments: AdmissionArguments
    private let moment: AdmissionArguments.Moment
    private let onlyTells: Bool
    private let form: AdmissionForm
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

    var keyCount: Int { form.keys.count }
    var argumentCount: Int { form.argumentCount }
    var hashTag: String? { request.principal.userID.value }

    func writeKeys(to buffer: inout ByteBuffer) {
        for key in form.keys { redisKey(key).write(to: &buffer) }
    }

    func writeArguments(to buffer: inout ByteBuffer) {
        buffer.writeImmutableBuffer(moment.arguments)
        for argument in form.arguments { write(argument, to: &buffer) }
    }

    func finish(_ result: Result<IntegerReply?, RedisError>) {
        switch result {
        case .failure(let error): completion(.failure(StoreUnavailable(error)))
        case .success(let reply):
            guard let reply, reply.count > 0, let outcome = AdmissionOutcome(code: reply[0]) else {
                return completion(.failure(.unexpectedReply(of: "admit.lua")))
            }
            if outcome == .clockDiffers {
                return completion(.failure(.clockDiffers(at: request.time)))
            }
            guard let decision = AdmissionDecision.Outcome(outcome).flatMap({ decision($0, from: reply) }) else {
                return completion(.failure(.unexpectedReply(of: "admit.lua")))
            }
            completion(.success(decision))
        }
    }
}

// MARK: Keys and arguments

extension AdmissionCall {
    /// One that is not needed is that of the usage record.
    private func redisKey(_ key: AdmissionKey) -> RedisKey {
        let user = request.principal.userID
        switch key {
        case .minute: return .rateLimit(user, minute: moment.minute)
        case .usage: return .usage(user)
        case .subscription: return .subscription(user)
        case .credential:
            switch request.principal.credential {
            case .token: return .usage(user)
            case .secretKey(let id, _, _): return .key(id, of: user)
            case .platformKey: return .apiKey(of: user)
            }
        case .idempotency: return request.idempotentCall.map { .idempotency(user, key: $0.key) } ?? .usage(user)
        case .routeMinute:
            return request.routeLimit.map { .rateLimit(user, route: $0.route, minute: moment.minute) } ?? .usage(user)
        }
    }

    private func write(_ argument: AdmissionArgument, to buffer: inout ByteBuffer) {
        switch argument {
        case .cost: buffer.writeArgument(request.cost)
        case .route: buffer.writeArgument(request.route)
        case .credentialKind, .digest: write(argument, of: request.principal.credential, to: &buffer)
        case .scopes: writeScopes(to: &buffer)
        case .claimedPlan: buffer.writeArgument(request.principal.claimedPlan ?? "")
        case .issuedAt: write(request.principal.issuedAt, to: &buffer)
        case .enforcesQuota: buffer.writeArgument(request.quotaPolicy == .enforce ? 1 : 0)
        case .onlyTells: buffer.writeArgument(onlyTells ? 1 : 0)
        case .fingerprint: buffer.writeArgument(request.idempotentCall?.fingerprint ?? "")
        case .rememberedUntil:
            write(request.idempotentCall.map { _ in IdempotentCall.keptSeconds }.map(later), to: &buffer)
        case .reservation: buffer.writeArgument(request.reservation?.id ?? "")
        case .leaseEnd: write((request.reservation?.leaseSeconds).map(later), to: &buffer)
        case .givesBack: buffer.writeArgument(request.reservation?.givesBack == true ? 1 : 0)
        case .routeRate: buffer.writeArgument(request.routeLimit.map { String($0.ratePerMinute) } ?? "")
        case .rememberedCalls: buffer.writeArgument(IdempotentCall.maximumCount)
        }
    }

    private func later(bySeconds seconds: Int64) -> UnixTime { request.time.adding(seconds: seconds) }

    private func write(_ time: UnixTime?, to buffer: inout ByteBuffer) {
        if let time { buffer.writeArgument(time) } else { buffer.writeArgument("") }
    }

    private func write(_ argument: AdmissionArgument, of credential: Credential, to buffer: inout ByteBuffer) {
        let isDigest = argument == .digest
        switch credential {
        case .token: buffer.writeArgument("")
        case .secretKey(_, _, let hash): buffer.writeArgument(isDigest ? hash.hex : "key")
        case .platformKey(let fingerprint, _): buffer.writeArgument(isDigest ? fingerprint : "platform")
        }
    }

    private func writeScopes(to buffer: inout ByteBuffer) {
        let scopes = request.scopesToCheck
        switch scopes.count {
        case 0: buffer.writeArgument("")
        case 1: buffer.writeArgument(scopes[0].value)
        default: buffer.writeArgument(scopes.map(\.value).joined(separator: " "))
        }
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
    /// Nil when the reply has another form than this version knows.
    private func decision(_ outcome: AdmissionDecision.Outcome, from reply: IntegerReply) -> AdmissionDecision? {
        if reply.count == 1 { return refusal(outcome) }
        let isLong = form == .everything
        guard reply.count == AdmissionReply.count(for: form), !isLong || reply.text != nil,
            arguments.plans.indices.contains(reply[.plan])
        else { return nil }
        let plan = arguments.plans[reply[.plan]]
        let start = reply[.periodStart]
        let period = start == 0 ? moment.period : BillingPeriod(containing: CalendarDay(number: start))
        return AdmissionDecision(
            outcome: outcome,
            usage: UsageSnapshot(count: reply[.usageCount], limit: plan.quota, plan: plan.name, period: period),
            rate: RateSnapshot(count: reply[.minuteCount], limit: plan.ratePerMinute, window: moment.window),
            routeRate: request.routeLimit.map {
                RateSnapshot(count: reply[.routeMinuteCount], limit: $0.ratePerMinute, window: moment.window)
            },
            oddities: Oddities(rawValue: reply[.oddities]), isRepeat: isLong && reply[.isPaid] == 1,
            reservation: isLong && outcome == .admitted
                ? reservation(of: reply[.reservedCalls], record: reply.text ?? "") : nil)
    }

    /// Of a key that is not let in, nothing is told.
    private func refusal(_ outcome: AdmissionDecision.Outcome) -> AdmissionDecision? {
        guard case .keyRefused = outcome else { return nil }
        let plan = arguments.fallback
        return AdmissionDecision(
            outcome: outcome,
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
    /// Nil where the script has not decided.
    fileprivate init?(_ outcome: AdmissionOutcome) {
        switch outcome {
        case .admitted: self = .admitted
        case .rateLimited: self = .rateLimited
        case .quotaExceeded: self = .quotaExceeded
        case .keyUnknown: self = .keyRefused(.unknown)
        case .keyRevoked: self = .keyRefused(.revoked)
        case .keyExpired: self = .keyRefused(.expired)
        case .scopeMissing: self = .keyRefused(.scopeMissing)
        case .idempotencyKeyReused: self = .idempotencyKeyReused
        case .idempotencyKeyInUse: self = .idempotencyKeyInUse
        case .replayed: self = .replayed
        case .clockDiffers: return nil
        }
    }
}
