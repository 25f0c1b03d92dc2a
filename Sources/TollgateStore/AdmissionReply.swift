import Hiredis
import TollgateCore

/// What `admit.lua` answers first.
enum AdmissionVerdict {
    case decided(AdmissionDecision.Outcome)

    /// The worker's time is not that of Redis. Nothing was decided.
    case clockDiffers

    /// The script's names for all, in the order of its numbers for them, which begin with 1. Refusals of keys are called
    /// by their codes: `scope-missing` is `SCOPE_MISSING`.
    static let named: [(name: String, verdict: AdmissionVerdict)] =
        [
            ("ADMITTED", .decided(.admitted)), ("RATE_LIMITED", .decided(.rateLimited)),
            ("QUOTA_EXCEEDED", .decided(.quotaExceeded)),
            ("IDEMPOTENCY_KEY_REUSED", .decided(.idempotencyKeyReused)),
            ("IDEMPOTENCY_KEY_IN_USE", .decided(.idempotencyKeyInUse)), ("REPLAYED", .decided(.replayed)),
            ("CLOCK_DIFFERS", .clockDiffers),
        ] + KeyRefusal.allCases.map { (Lua.constant($0.rawValue), .decided(.keyRefused($0))) }

    private static let numbered = named.map(\.verdict)

    /// Nil for a number that this version does not know.
    init?(code: Int64) {
        guard (1...Int64(Self.numbered.count)).contains(code) else { return nil }
        self = Self.numbered[Int(code) - 1]
    }
}

/// The integers that `admit.lua` answers, in their order. Of a key that is not let in, and where clocks differ, nothing but
/// the outcome is told. What the longest form tells besides has a text behind it: the reservation as it stands in
/// `reservations:{user}`, or nothing.
enum AdmissionReply: Int {
    case outcome

    /// Calls of the period.
    case usageCount

    /// The plan's place in the table, from 0.
    case plan

    /// Requests in this minute.
    case minuteCount

    /// ``Oddities``
    case oddities

    /// The first day of the period counted in (YYYYMMDD). 0 if it is the one that the script was given.
    case periodStart

    /// Calls that may go back.
    case reservedCalls

    /// 1 if an earlier attempt has paid.
    case isPaid

    /// Requests on the route in this minute.
    case routeMinuteCount

    /// How many integers a reply to a call of `form` has.
    static func count(for form: AdmissionForm) -> Int {
        form == .everything ? Self.routeMinuteCount.rawValue + 1 : Self.periodStart.rawValue + 1
    }
}

extension IntegerReply {
    subscript(_ field: AdmissionReply) -> Int { Int(self[field.rawValue]) }
}

// MARK: The decision

extension AdmissionCall {
    /// Nil when the reply has another form than this version knows.
    func decision(_ outcome: AdmissionDecision.Outcome, from reply: IntegerReply) -> AdmissionDecision? {
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
