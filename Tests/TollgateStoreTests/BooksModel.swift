import TollgateCore

/// What becomes of calls, written down a second time in plain Swift: charged, reserved, given back, repeated. The oracle
/// that random histories of the store are compared with.
struct BooksModel {
    struct Record: Hashable {
        var count = 0
        var plan: String?
        var period: BillingPeriod
        var previous: (period: BillingPeriod, count: Int)?

        /// One that lay ahead, and whose count went into that of the present one.
        var takenOver: BillingPeriod?

        static func == (left: Self, right: Self) -> Bool {
            left.count == right.count && left.plan == right.plan && left.period == right.period
                && left.previous?.period == right.previous?.period && left.previous?.count == right.previous?.count
        }

        func hash(into hasher: inout Hasher) { hasher.combine(count) }
    }

    struct Held: Hashable {
        let calls: Int
        let period: BillingPeriod
        let day: CalendarDay
        let route: String
        let key: String?
        var leaseEnd: Int64
    }

    struct Call: Hashable {
        var fingerprint: String
        var until: Int64
        var calls: Int
        var attempt: String
        var leaseEnd: Int64?
        var state: String
        var isAnswered = false
    }

    var record: Record?
    private(set) var days: [CalendarDay: [String: Int]] = [:]
    private(set) var refusals: [CalendarDay: [CountedRefusal: Int]] = [:]
    private(set) var held: [String: Held] = [:]
    private(set) var calls: [String: Call] = [:]
    private var minutes: [Int64: Int] = [:]

    /// What an admission is expected to say.
    struct Verdict: Hashable {
        let outcome: AdmissionDecision.Outcome
        let count: Int
        let plan: String
        let isRepeat: Bool
        let reserved: Int
    }

    /// - Parameter onlyTells: Nothing is charged; leases that have run out end all the same.
    mutating func admit(_ request: AdmissionRequest, plans: PlanTable, onlyTells: Bool = false) -> Verdict {
        sweep(at: request.time)
        let now = request.time.seconds
        let wanted = request.principal.claimedPlan ?? record?.plan ?? PlanTable.fallbackName
        let plan = plans[wanted] ?? plans.fallback
        var next = turned(at: request.time)
        let window = RateWindow(containing: request.time).minute
        let requests = minutes[window] ?? 0

        var outcome = AdmissionDecision.Outcome.admitted
        var paid: Int?
        var isAnswered = false
        let call = onlyTells ? nil : request.idempotentCall
        if let call, let earlier = calls[call.key], earlier.until > now {
            if earlier.fingerprint != call.fingerprint {
                outcome = .idempotencyKeyReused
            } else if earlier.state == "open", let end = earlier.leaseEnd, end > now {
                outcome = .idempotencyKeyInUse
            } else if earlier.state != "finished" {
                paid = earlier.calls
            } else {
                isAnswered = earlier.isAnswered
            }
        }
        let fits = next.count + request.cost <= plan.quota
        if outcome == .admitted {
            if requests >= plan.ratePerMinute {
                outcome = .rateLimited
            } else if isAnswered {
                outcome = .replayed
            } else if !fits && paid == nil && request.quotaPolicy == .enforce {
                outcome = .quotaExceeded
            }
        }
        var reserved = 0
        if !onlyTells, outcome == .admitted || outcome == .replayed {
            minutes[window] = requests + 1
            let charged = fits && paid == nil && outcome == .admitted ? request.cost : 0
            next.count += charged
            if plans[wanted] != nil { next.plan = wanted }
            record = next
            let day = CalendarDay(containing: request.time)
            if charged > 0 { days[day, default: [:]][request.route, default: 0] += charged }
            if outcome == .admitted {
                reserved = request.reservation?.givesBack == true ? charged : 0
                remember(request, call, charged: paid ?? charged, reserved: reserved, period: next.period)
            }
        }
        if !onlyTells, record != nil, let refusal = CountedRefusal(outcome) {
            refusals[CalendarDay(containing: request.time), default: [:]][refusal, default: 0] += 1
        }
        return Verdict(
            outcome: outcome, count: next.count, plan: plan.name,
            isRepeat: paid != nil && outcome == .admitted, reserved: reserved)
    }

    /// What stands in Redis of each day: `/orders` and `!quota-exceeded`, with how often.
    var history: [CalendarDay: [String: Int]] {
        let calls = days.mapValues { $0.map { ("/\($0)", $1) } }
        let refused = refusals.mapValues { $0.map { ("!\($0.rawValue)", $1) } }
        return calls.merging(refused, uniquingKeysWith: +).mapValues { Dictionary(uniqueKeysWithValues: $0) }
    }

    private mutating func remember(
        _ request: AdmissionRequest, _ call: IdempotentCall?, charged: Int, reserved: Int, period: BillingPeriod
    ) {
        let leaseEnd = request.reservation.map { request.time.seconds + $0.leaseSeconds }
        if let call {
            calls[call.key] = Call(
                fingerprint: call.fingerprint, until: request.time.seconds + IdempotentCall.keptSeconds,
                calls: charged, attempt: request.reservation?.id ?? "", leaseEnd: leaseEnd,
                state: request.reservation == nil ? "finished" : "open")
        }
        if reserved > 0, let wish = request.reservation, let leaseEnd {
            held[wish.id] = Held(
                calls: reserved, period: period, day: CalendarDay(containing: request.time), route: request.route,
                key: call?.key, leaseEnd: leaseEnd)
        }
    }

    /// - Returns: Whether it had not ended before.
    mutating func settle(_ reservation: Reservation, as outcome: Reservation.Outcome) -> Bool {
        if reservation.calls > 0 {
            guard let entry = held.removeValue(forKey: reservation.id) else { return false }
            if outcome == .giveBack {
                giveBack(reservation.id, entry)
                return true
            }
        }
        guard let key = reservation.idempotencyKey else { return true }
        guard var call = calls[key], call.attempt == reservation.id, call.state == "open" else {
            return reservation.calls > 0
        }
        call.state = outcome == .giveBack ? "failed" : "finished"
        if case .keepAndReplay = outcome { call.isAnswered = true }
        calls[key] = call
        return true
    }

    /// - Returns: Whether it had not ended before.
    mutating func renew(_ reservation: Reservation, until end: UnixTime) -> Bool {
        let isOpen = reservation.calls == 0 || held[reservation.id] != nil
        if let entry = held[reservation.id] { held[reservation.id]?.leaseEnd = max(entry.leaseEnd, end.seconds) }
        if let key = reservation.idempotencyKey, let call = calls[key], call.attempt == reservation.id,
            call.state == "open"
        {
            calls[key]?.leaseEnd = max(call.leaseEnd ?? .min, end.seconds)
        }
        return isOpen
    }

    private mutating func sweep(at time: UnixTime) {
        for (id, entry) in held where entry.leaseEnd <= time.seconds {
            held[id] = nil
            giveBack(id, entry)
        }
    }

    private mutating func giveBack(_ id: String, _ entry: Held) {
        if let key = entry.key, calls[key]?.attempt == id { calls[key] = nil }
        let booked = days[entry.day]?[entry.route] ?? 0
        days[entry.day]?[entry.route] = booked - min(booked, entry.calls)
        if record?.period == entry.period || record?.takenOver != nil && record?.takenOver == entry.period {
            record?.count -= entry.calls
        } else if record?.previous?.period == entry.period {
            record?.previous?.count -= entry.calls
        }
    }

    /// The record with the period that is counted in at `time`.
    private func turned(at time: UnixTime) -> Record {
        let current = BillingPeriod(containing: time)
        guard let record else { return Record(period: current) }
        if record.period == current { return record }
        let isAhead = record.period.firstDay > current.firstDay
        if isAhead, current.end.seconds - time.seconds <= 300 { return record }
        var next = record
        next.period = current
        next.takenOver = nil
        if record.previous?.period == current {
            next.count = record.previous?.count ?? 0
        } else if isAhead {
            next.takenOver = record.period
            return next
        } else {
            next.count = 0
        }
        next.previous = (record.period, record.count)
        return next
    }
}

extension CountedRefusal {
    fileprivate init?(_ outcome: AdmissionDecision.Outcome) {
        switch outcome {
        case .rateLimited: self = .rateLimited
        case .quotaExceeded: self = .quotaExceeded
        default: return nil
        }
    }
}
