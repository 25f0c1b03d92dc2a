import Hiredis
import NIOCore
package import RedisClient
import Synchronization
package import TollgateCore

/// What many admissions have in common: the script with the plan table in it, and everything that changes once a second,
/// which is encoded once and sent by all of them.
final class AdmissionArguments: Sendable {
    /// How long a usage record outlives its period, for operators who look at it afterwards.
    private static let recordKeptSeconds: Int64 = 31 * 86_400

    let plans: [Plan]
    let fallback: Plan

    /// Of the plans, as ``InForce`` counts them.
    let generation: Int

    /// `admit.lua` for these plans.
    let script: RedisScript

    /// Whether scripts compare the time of a call with that of Redis.
    let comparesClocks: Bool

    private let pastDueGraceSeconds: Int64

    /// How much longer records are kept than by the calendar: a subscription's period may end a month after the calendar
    /// month in which it began, and goes on for the grace.
    private let longerSeconds: Int64
    private let latest: Mutex<Moment>

    /// Who has called for the first time on a day.
    let firstCallers: FirstCallers

    /// Who has come to a threshold of a quota. Nil where nobody is told of it.
    let crossings: QuotaCrossings?

    /// What holds for one second.
    struct Moment: Sendable {
        let second: Int64
        let period: BillingPeriod
        let window: RateWindow

        /// How long the usage record is kept from now on, in seconds.
        let recordLifetimeSeconds: Int64

        /// The clock minute as it stands in the names of counters.
        let minute: String

        /// Those that come first, ``SharedAdmissionArgument``, as they go over the wire.
        let arguments: ByteBuffer
    }

    init(
        plans: PlanTable, generation: Int, pastDueGraceSeconds: Int64, comparesClocks: Bool, firstCallers: FirstCallers,
        crossings: QuotaCrossings? = nil
    ) {
        self.crossings = crossings
        self.plans = plans.plans
        self.generation = generation
        self.firstCallers = firstCallers
        fallback = plans.fallback
        self.pastDueGraceSeconds = pastDueGraceSeconds
        self.comparesClocks = comparesClocks
        script = Self.script(plans, comparesClocks: comparesClocks)
        let longerSeconds =
            plans.goesBySubscription ? Self.recordKeptSeconds + max(0, pastDueGraceSeconds) : 0
        self.longerSeconds = longerSeconds
        latest = Mutex(Self.moment(at: UnixTime(seconds: 0), pastDueGraceSeconds, longerSeconds))
    }

    static func script(_ plans: PlanTable, comparesClocks: Bool) -> RedisScript {
        RedisScript(
            resource: PackageResources.admit_lua,
            prelude: PackageResources.values_lua + PackageResources.give_back_lua
                + Array(AdmissionPrelude.source(plans, comparesClocks: comparesClocks).utf8))
    }

    /// What holds at `time`. Remembered until another second is asked for.
    func moment(at time: UnixTime) -> Moment {
        let second = time.seconds
        return latest.withLock { latest in
            if latest.second != second { latest = Self.moment(at: time, pastDueGraceSeconds, longerSeconds) }
            return latest
        }
    }

    private static func moment(
        at time: UnixTime, _ pastDueGraceSeconds: Int64, _ longerSeconds: Int64
    ) -> Moment {
        let (period, window) = (BillingPeriod(containing: time), RateWindow(containing: time))
        let recordLifetime = period.end.seconds - time.seconds + recordKeptSeconds + longerSeconds
        var arguments = ByteBuffer()
        for argument in SharedAdmissionArgument.allCases {
            switch argument {
            case .periodStart: arguments.writeArgument(period.firstDay.description)
            case .periodEnd: arguments.writeArgument(period.lastDay.description)
            case .now: arguments.writeArgument(time)
            case .recordSeconds: arguments.writeArgument(Int(recordLifetime))
            case .graceStart:
                arguments.writeArgument(UnixTime(seconds: max(0, time.seconds - pastDueGraceSeconds)))
            }
        }
        return Moment(
            second: time.seconds, period: period, window: window, recordLifetimeSeconds: recordLifetime,
            minute: String(window.minute), arguments: arguments)
    }
}

extension ByteBuffer {
    /// A moment as ISO 8601 in UTC.
    mutating func writeArgument(_ time: UnixTime) {
        let (date, minute, second) = time.iso8601Words
        writeArgument(date, minute, second)
    }
}

extension RedisAdmissionStore {
    /// The scripts that requests take, for the handshake of a connection: a Redis that has just started, or taken
    /// another's place, knows them before the first call. The others travel with a call when Redis does not know them.
    ///
    /// - Parameter comparesClocks: Whether the store goes by the clock of Redis.
    package static func hotScripts(plans: PlanTable, comparesClocks: Bool) -> [RedisScript] {
        [
            AdmissionArguments.script(plans, comparesClocks: comparesClocks), RedisScript.Call.settleScript.script,
            RedisScript.Call.renewScript.script,
        ]
    }
}

/// What many admissions have in common, in the order in which it is given to `admit.lua`: it comes first of all arguments.
enum SharedAdmissionArgument: String, CaseIterable {
    /// The first and the last day of the calendar month (YYYY-MM-DD).
    case periodStart, periodEnd

    /// For people (ISO 8601).
    case now

    /// How long the usage record is kept from now on, in seconds.
    case recordSeconds

    /// A user who has owed a payment since then or longer has no grace left (ISO 8601).
    case graceStart
}

// MARK: What stands before the script

extension AdmissionForm {
    /// Where the arguments of the longest form are; where those of a shorter form are that are elsewhere there
    /// (`TOKEN_ISSUED_AT`); and how many arguments each form has (`TOKEN_FORM`).
    fileprivate static var luaPlaces: String {
        let shared = SharedAdmissionArgument.allCases.map(\.rawValue)
        let names = shared + everything.arguments.map(\.rawValue)
        let moved = allCases.flatMap { form in
            let ofForm = shared + form.arguments.map(\.rawValue)
            return ofForm.indices.filter { ofForm[$0] != names[$0] }.map { place in
                (Lua.constant(form.rawValue) + "_" + Lua.constant(ofForm[place]), place + 1)
            }
        }
        return Lua.places(AdmissionKey.allCases.map(\.rawValue), suffix: "_KEY") + Lua.places(names)
            + Lua.assign(moved.map(\.0), moved.map(\.1))
            + Lua.assign(allCases.map { Lua.constant($0.rawValue) + "_FORM" }, allCases.map(\.argumentCount))
    }
}

extension CountedRefusal {
    /// `local RATE_LIMITED_CODE = 'rate-limit-exceeded'`, and so on.
    fileprivate static var luaNames: String {
        allCases.map { "local \(Lua.constant("\($0)"))_CODE = \(Lua.quoted($0.rawValue))\n" }.joined()
    }
}

/// What stands before `admit.lua` and is no script of its own: its names, the plan table, and whether clocks are compared.
/// It is part of the script and not sent with its calls: an admission costs as much with 64 plans as with two. Workers with
/// other plans run a script of another name.
enum AdmissionPrelude {
    /// How far a worker's time may be from that of Redis when something is written for good, in seconds. Far longer than
    /// a call waits for Redis, and far shorter than a minute.
    static let clockToleranceSeconds = 5

    /// The script's names for invalid values.
    private static let oddities: [(name: String, oddity: Oddities)] = [
        ("PLAN_UNKNOWN", .planUnknown), ("ODD_COUNT", .count), ("ODD_PERIOD", .period), ("ODD_MINUTE", .minute),
        ("ODD_DAY", .day), ("ODD_ROUTE_MINUTE", .routeMinute), ("FIRST_OF_DAY", .firstOfDay),
    ]

    /// The places of keys and arguments, the numbers of outcomes and oddities, `CLOCK_TOLERANCE_SECONDS`, `ALLOWED_IPS_BYTES`, `MAXIMUM_LIMIT`,
    /// `FALLBACK_PLAN`, `GOES_BY_SUBSCRIPTION`, `HISTORY_SECONDS`, the codes of refusals (`RATE_LIMITED_CODE`), and the
    /// function `plan_named`.
    static func source(_ table: PlanTable, comparesClocks: Bool) -> String {
        let branches = table.plans.enumerated().map { place, plan in
            // A plan's name has no character that means something in a literal (`Plan.isValidName`).
            "  if name == \(Lua.quoted(plan.name)) then return \(place), \(plan.quota), \(plan.ratePerMinute)"
                + (plan.period == .subscription ? ", true end\n" : " end\n")
        }
        return AdmissionForm.luaPlaces
            + Lua.assign(AdmissionVerdict.named.map(\.name), Array(1...AdmissionVerdict.named.count))
            + Lua.assign(oddities.map(\.name), oddities.map(\.oddity.rawValue)) + """
                local CLOCK_TOLERANCE_SECONDS = \(comparesClocks ? "\(clockToleranceSeconds)" : "nil")
                local ALLOWED_IPS_BYTES = \(KeyTerms.maximumAllowedIPsBytes)
                \(CountedRefusal.luaNames)
                \(UsageHash.luaNames)
                local GOES_BY_SUBSCRIPTION = \(table.goesBySubscription)
                local MAXIMUM_LIMIT = \(Plan.maximumLimit)
                local FALLBACK_PLAN = \(Lua.quoted(table.fallback.name))
                local function plan_named(name)
                \(branches.joined())end

                """
    }
}

// MARK: The answer

/// What `admit.lua` answers first.
enum AdmissionVerdict {
    case decided(AdmissionDecision.Outcome)

    /// The worker's time is not that of Redis. Nothing was decided.
    case clockDiffers

    /// The key is bound to addresses, and the requests come from several. Nothing was decided.
    case addressesDiffer

    /// The script's names for all, in the order of its numbers for them, which begin with 1. Refusals of keys are called
    /// by their codes: `scope-missing` is `SCOPE_MISSING`.
    static let named: [(name: String, verdict: AdmissionVerdict)] =
        [
            ("ADMITTED", .decided(.admitted)), ("RATE_LIMITED", .decided(.rateLimited)),
            ("QUOTA_EXCEEDED", .decided(.quotaExceeded)),
            ("IDEMPOTENCY_KEY_REUSED", .decided(.idempotencyKeyReused)),
            ("IDEMPOTENCY_KEY_IN_USE", .decided(.idempotencyKeyInUse)), ("REPLAYED", .decided(.replayed)),
            ("CLOCK_DIFFERS", .clockDiffers), ("ADDRESSES_DIFFER", .addressesDiffer),
            ("USER_BLOCKED", .decided(.userBlocked)),
        ] + KeyRefusal.allCases.map { (Lua.constant($0.rawValue), .decided(.keyRefused($0))) }

    private static let numbered = named.map(\.verdict)

    /// Nil for a number that this version does not know.
    init?(code: Int64) {
        guard (1...Int64(Self.numbered.count)).contains(code) else { return nil }
        self = Self.numbered[Int(code) - 1]
    }
}

/// The integers that `admit.lua` answers, in their order, as they stand after the last of the requests. Of a key that is not
/// let in, and where nothing was decided, nothing but the outcome is told. What the longest form tells besides has a text
/// behind it: the reservation as it stands in `reservations:{user}`, or nothing.
enum AdmissionReply: Int {
    /// Of those requests that were not admitted; if there are none, of all.
    case outcome

    /// Calls of the period.
    case usageCount

    /// The plan's place in the table, from 0.
    case plan

    /// Requests in this minute.
    case minuteCount

    /// ``Oddities``
    case oddities

    /// The first day of the period counted in (YYYYMMDD). 0 if it is the one that the script was given. Of a
    /// subscription's period the moment at which it begins (YYYYMMDDhhmmss).
    case periodStart

    /// The moment at which a subscription's period ends (YYYYMMDDhhmmss). 0 for a calendar month.
    case periodEnd

    /// How many of the requests have taken their place in the minute: those that came first.
    case admitted

    /// Calls that may go back.
    case reservedCalls

    /// 1 if an earlier attempt has paid.
    case isPaid

    /// Requests on the route in this minute.
    case routeMinuteCount

    /// How many integers a reply to a call of `form` has.
    static func count(for form: AdmissionForm) -> Int {
        form == .everything ? Self.routeMinuteCount.rawValue + 1 : Self.admitted.rawValue + 1
    }
}

/// What follows where an operator has decided something about the user's limits.
enum OperatorReply: Int, CaseIterable {
    /// The quota that counts, with what is granted.
    case quota

    /// What of it is granted.
    case granted
    case ratePerMinute
}

extension IntegerReply {
    subscript(_ field: AdmissionReply) -> Int { Int(self[field.rawValue]) }
}

/// What was decided on requests that were alike, as if one had been asked after the other.
struct GroupDecision {
    /// What the last of them is told.
    let last: AdmissionDecision

    /// How many were admitted.
    let admitted: Int

    /// How many there are.
    let callers: Int

    /// What each of them costs, in calls.
    let cost: Int

    /// What the request at `place` is told, from 0.
    subscript(place: Int) -> AdmissionDecision {
        guard callers > 1 else { return last }
        // Those that were admitted after it.
        let later = max(0, admitted - place - 1)
        let (usage, rate) = (last.usage, last.rate)
        return AdmissionDecision(
            outcome: place < admitted ? .admitted : last.outcome,
            usage: UsageSnapshot(
                count: usage.count - later * cost, limit: usage.limit, granted: usage.granted, plan: usage.plan,
                period: usage.period),
            rate: rate.before(later), routeRate: last.routeRate?.before(later),
            // The first one that is admitted puts them right, but for the plan, which is left alone.
            oddities: place > 0 && admitted > 0 ? last.oddities.intersection(.planUnknown) : last.oddities)
    }
}

extension RateSnapshot {
    /// As it was before the last requests.
    fileprivate func before(_ requests: Int) -> RateSnapshot {
        RateSnapshot(count: count - requests, limit: limit, window: window)
    }
}

extension AdmissionCall {
    /// Nil when the reply has another form than this version knows.
    func decision(_ outcome: AdmissionDecision.Outcome, from reply: IntegerReply) -> GroupDecision? {
        if reply.count == 1 { return refusal(outcome, reply.text).map { group($0, admitted: 0) } }
        let isLong = form == .everything
        // Where an operator has decided something about the limits, they stand behind all else.
        let count = AdmissionReply.count(for: form)
        guard reply.count == count || reply.count == count + OperatorReply.allCases.count, !isLong || reply.text != nil,
            arguments.plans.indices.contains(reply[.plan]), (0...callers).contains(reply[.admitted])
        else { return nil }
        let plan = arguments.plans[reply[.plan]]
        var oddities = Oddities(rawValue: reply[.oddities])
        if oddities.remove(.firstOfDay) != nil { arguments.firstCallers.add([request.principal.userID]) }
        func limit(_ field: OperatorReply, orElse planned: Int) -> Int {
            reply.count == count ? planned : Int(reply[count + field.rawValue])
        }
        let ratePerMinute = limit(.ratePerMinute, orElse: plan.ratePerMinute)
        let (start, end) = (reply[.periodStart], reply[.periodEnd])
        let period =
            if end != 0 {
                BillingPeriod(start: UnixTime(number: start), end: UnixTime(number: end))
            } else if start != 0 {
                BillingPeriod(containing: CalendarDay(number: start))
            } else {
                moment.period
            }
        let last = AdmissionDecision(
            outcome: outcome,
            usage: UsageSnapshot(
                count: reply[.usageCount], limit: limit(.quota, orElse: plan.quota),
                granted: limit(.granted, orElse: 0), plan: plan.name, period: period),
            rate: RateSnapshot(count: reply[.minuteCount], limit: ratePerMinute, window: moment.window),
            routeRate: request.routeLimit.map {
                RateSnapshot(count: reply[.routeMinuteCount], limit: $0.ratePerMinute, window: moment.window)
            },
            oddities: oddities, isRepeat: isLong && reply[.isPaid] == 1,
            blockReason: outcome == .userBlocked ? reply.text.flatMap { OperatorReason(word: $0) } : nil,
            reservation: isLong && outcome == .admitted
                ? reservation(of: reply[.reservedCalls], record: reply.text ?? "") : nil)
        // Should all that is known of it be lost with a worker, the sweep looks at those who are told that it is used up.
        if arguments.crossings != nil, outcome == .quotaExceeded, !onlyTells {
            arguments.firstCallers.add([request.principal.userID])
        }
        if let crossings = arguments.crossings, !onlyTells, outcome != .replayed, !last.isRepeat {
            crossings.note(
                last.usage, charged: reply[.admitted] * request.cost, to: request.principal.userID, plan.alerts)
        }
        return group(last, admitted: reply[.admitted])
    }

    private func group(_ last: AdmissionDecision, admitted: Int) -> GroupDecision {
        GroupDecision(last: last, admitted: admitted, callers: callers, cost: request.cost)
    }

    /// Of a key that is not let in, nothing is told, and of a user who is blocked nothing but why.
    private func refusal(_ outcome: AdmissionDecision.Outcome, _ text: String?) -> AdmissionDecision? {
        switch outcome {
        case .keyRefused, .userBlocked: break
        default: return nil
        }
        let plan = arguments.fallback
        return AdmissionDecision(
            outcome: outcome,
            usage: UsageSnapshot(count: 0, limit: plan.quota, plan: plan.name, period: moment.period),
            rate: RateSnapshot(count: 0, limit: plan.ratePerMinute, window: moment.window),
            routeRate: request.routeLimit.map {
                RateSnapshot(count: 0, limit: $0.ratePerMinute, window: moment.window)
            }, blockReason: outcome == .userBlocked ? text.flatMap { OperatorReason(word: $0) } : nil)
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

extension UnixTime {
    /// - Parameter number: YYYYMMDDhhmmss.
    fileprivate init(number: Int) {
        let time = number % 1_000_000
        let seconds = time / 10_000 * 3600 + time / 100 % 100 * 60 + time % 100
        self = CalendarDay(number: number / 1_000_000).startOfDay.adding(seconds: Int64(seconds))
    }
}

/// The ``AdmissionArguments`` for plans that may be replaced: made once for each table.
final class AdmissionArgumentsInForce: Sendable {
    /// Who has called for the first time on a day, whatever plans were in force.
    let firstCallers = FirstCallers()

    private let plans: InForce<PlanTable>
    private let make: @Sendable (PlanTable, _ generation: Int) -> AdmissionArguments
    private let latest: Mutex<AdmissionArguments>

    init(
        plans: InForce<PlanTable>, pastDueGraceSeconds: Int64, comparesClocks: Bool, crossings: QuotaCrossings? = nil
    ) {
        self.plans = plans
        make = { [firstCallers] plans, generation in
            AdmissionArguments(
                plans: plans, generation: generation, pastDueGraceSeconds: pastDueGraceSeconds,
                comparesClocks: comparesClocks, firstCallers: firstCallers, crossings: crossings)
        }
        // The generation is read first: plans that are replaced in between are asked for once more.
        let generation = plans.generation
        latest = Mutex(make(plans.current, generation))
    }

    /// Of the plans. Costs no lock.
    var generation: Int { plans.generation }

    var current: AdmissionArguments {
        latest.withLock { latest in
            let generation = plans.generation
            if latest.generation != generation { latest = make(plans.current, generation) }
            return latest
        }
    }
}
