/// The question put to the store for every metered request: may this caller make this call now?
///
/// A class, because it goes along with the call until the answer is there.
package final class AdmissionRequest: Sendable {
    package let principal: Principal
    package let time: UnixTime

    /// Where the request comes from. Only worked out for a key: nil for a session token, and for a question that no
    /// request is behind.
    package let network: ClientNetwork?

    /// Calls of the quota that this request costs.
    package let cost: Int

    /// What the calls are booked under in the user's days: the name of a route, or of one of the gateway's own
    /// endpoints in the same form.
    package let route: String

    /// Whether an exhausted quota refuses the request. A checkout is counted while something is left, but a user
    /// without calls left must still be able to pay.
    package let quotaPolicy: QuotaPolicy

    package enum QuotaPolicy: Sendable, Hashable {
        case enforce
        case countWhileSomeIsLeft
    }

    /// What a key needs to be good for, all of it; at most ``KeyScope/maximumCount``. A session token is the user's own
    /// and good for everything; the key of platform credentials is good for everything but ``KeyScope/management``.
    package let requiredScopes: [KeyScope]

    /// Set when the sender may repeat the call. Without a reservation beside it, its attempts finish as they are
    /// admitted.
    package let idempotentCall: IdempotentCall?

    /// Set when something depends on what becomes of the request.
    package let reservation: Reservation.Request?

    /// Set when the route has a rate of its own, beside the plan's.
    package let routeLimit: RouteLimit?

    package init(
        principal: Principal, time: UnixTime, network: ClientNetwork? = nil, cost: Int = 1, route: String = "other",
        quotaPolicy: QuotaPolicy = .enforce, requiredScopes: [KeyScope] = [], idempotentCall: IdempotentCall? = nil,
        reservation: Reservation.Request? = nil, routeLimit: RouteLimit? = nil
    ) {
        self.principal = principal
        self.time = time
        self.network = network
        self.cost = cost
        self.route = route
        self.quotaPolicy = quotaPolicy
        self.requiredScopes = requiredScopes
        self.idempotentCall = idempotentCall
        self.reservation = reservation
        self.routeLimit = routeLimit
    }
}

/// The store's answer: what was decided, and where the limits stand after it.
package struct AdmissionDecision: Sendable, Hashable {
    package enum Outcome: Sendable, Hashable {
        /// Charged to all limits.
        case admitted
        /// Refused by the rate of the plan or by that of the route; nothing was charged.
        case rateLimited
        /// Refused by the quota; nothing was charged.
        case quotaExceeded
        /// An operator has blocked the user; nothing was charged, and nothing is told of the user.
        case userBlocked
        /// The key is not let in; nothing was charged, and nothing is told of the user whom it names: usage and rate
        /// are those of an unknown user.
        case keyRefused(KeyRefusal)
        /// The idempotency key was used for another request; nothing was charged.
        case idempotencyKeyReused
        /// An attempt at the same ``IdempotentCall`` is in progress; nothing was charged.
        case idempotencyKeyInUse
        /// A repeat of an ``IdempotentCall`` whose ``StoredAnswer`` is to be given: it has taken its place in the minute
        /// and costs nothing else.
        case replayed
    }

    package let outcome: Outcome
    package let usage: UsageSnapshot
    package let rate: RateSnapshot

    /// Where the route's own rate stands. Nil when the request named none.
    package let routeRate: RateSnapshot?

    /// Another attempt at an ``IdempotentCall`` that is paid for: no call was charged now.
    package let isRepeat: Bool

    /// Why an operator has blocked the user. Nil unless ``Outcome/userBlocked``, and where no reason can be read.
    package let blockReason: OperatorReason?

    /// To be settled when it is known what became of the request. Nil when none was asked for, and when there is
    /// nothing to give back.
    package let reservation: Reservation?

    /// What the store has found in its records and could not take as it stands.
    package let oddities: Oddities

    /// The caller's plan as claimed or recorded is not in the plan table, and the fallback plan was applied.
    package var planIsUnknown: Bool { oddities.contains(.planUnknown) }

    package init(
        outcome: Outcome, usage: UsageSnapshot, rate: RateSnapshot, routeRate: RateSnapshot? = nil,
        oddities: Oddities = [], isRepeat: Bool = false, blockReason: OperatorReason? = nil,
        reservation: Reservation? = nil
    ) {
        self.outcome = outcome
        self.usage = usage
        self.rate = rate
        self.routeRate = routeRate
        self.oddities = oddities
        self.isRepeat = isRepeat
        self.blockReason = blockReason
        self.reservation = reservation
    }

    /// Seconds until a refused call can pass: the next minute, in which both rates begin anew, the next period, or
    /// soon, as most attempts take no longer than a second. Nil for an admitted one, and for one that waiting does not
    /// help.
    package func retryAfterSeconds(at time: UnixTime) -> Int64? {
        switch outcome {
        case .admitted, .replayed, .keyRefused, .userBlocked, .idempotencyKeyReused: nil
        case .idempotencyKeyInUse: 1
        case .rateLimited: rate.secondsUntilReset(at: time)
        case .quotaExceeded: usage.secondsUntilReset(at: time)
        }
    }
}

/// Invalid values in the store, as a person or another program may have left them; and what an admission has taken them
/// for. Those that it writes are right afterwards.
package struct Oddities: OptionSet, Sendable, Hashable {
    package let rawValue: Int

    package init(rawValue: Int) { self.rawValue = rawValue }

    /// The plan that counts is not in the plan table. The fallback was applied, and the record was left alone.
    package static let planUnknown = Self(rawValue: 1)
    /// The count of calls is no number: taken for 0.
    package static let count = Self(rawValue: 2)
    /// The period counted in is no day, or one that lies ahead: taken for the present one.
    package static let period = Self(rawValue: 4)
    /// The minute's count is no number: taken for 0.
    package static let minute = Self(rawValue: 8)
    /// The day's count of the route is no number: taken for 0.
    package static let day = Self(rawValue: 16)
    /// The minute's count of the route is no number: taken for 0.
    package static let routeMinute = Self(rawValue: 32)

    /// Not odd at all: it is the user's first call on this day. The store tells the index of users, and nobody else.
    package static let firstOfDay = Self(rawValue: 64)

    /// What the values are called, besides ``planUnknown``, which is no value's fault.
    package var names: [String] {
        [
            (.count, "usageCount"), (.period, "periodStart"), (.minute, "minute"), (.day, "day"),
            (.routeMinute, "route-minute"),
        ].compactMap { (oddity: Self, name: String) in contains(oddity) ? name : nil }
    }
}

/// Where a user's quota stands.
package struct UsageSnapshot: Sendable, Hashable {
    /// What a count can be. The store's may be anything that an operator has written there. Less than 0 is a credit, which
    /// the operator has given: so many calls come on top of the limit.
    package static let countRange = -Plan.maximumLimit - 1...Plan.maximumLimit + 1

    /// Calls charged in this period, less what was given as a credit.
    package let count: Int
    package let limit: Int

    /// Calls of the limit that an operator has granted on top of the plan's.
    package let granted: Int
    package let plan: String
    package let period: BillingPeriod

    /// - Parameter count: Taken as the nearest of ``countRange``.
    package init(count: Int, limit: Int, granted: Int = 0, plan: String, period: BillingPeriod) {
        self.count = count.clamped(to: Self.countRange)
        self.limit = limit
        self.granted = granted
        self.plan = plan
        self.period = period
    }

    /// Never negative: after a downgrade the count may be above the limit.
    package var remaining: Int { max(0, limit - count) }

    /// How often it is worth asking whether a renewal that is late has come.
    private static let secondsBetweenLooks: Int64 = 60

    /// Until the next period, which of a subscription begins with its renewal; a renewal that is late may come any minute.
    package func secondsUntilReset(at time: UnixTime) -> Int64 {
        let seconds = period.end.seconds - time.seconds
        return seconds > 0 ? seconds : period.kind == .subscription ? Self.secondsBetweenLooks : 1
    }
}

/// Where a user's rate limit stands, the plan's or a route's.
package struct RateSnapshot: Sendable, Hashable {
    /// Requests charged in this minute.
    package let count: Int
    package let limit: Int
    package let window: RateWindow

    /// - Parameter count: Taken as the nearest of ``UsageSnapshot/countRange``.
    package init(count: Int, limit: Int, window: RateWindow) {
        self.count = count.clamped(to: UsageSnapshot.countRange)
        self.limit = limit
        self.window = window
    }

    package var remaining: Int { max(0, limit - count) }

    package func secondsUntilReset(at time: UnixTime) -> Int64 { max(1, window.end.seconds - time.seconds) }
}
