/// Calls that are charged for now, and given back unless the request turns out well: charging by outcome.
///
/// A reservation ends once: kept, given back, or, when its worker died and the lease has run out, given back with the
/// user's next admission. So a customer never pays for a call whose outcome nobody saw. The count can be too low, by
/// the calls whose worker died after the upstream had answered, or that took longer than the lease; it is never too
/// high for longer than a lease. The minute's count is not given back: the rate limit protects the upstream, which has
/// seen the request. Nothing is given back of a month that is over.
///
/// The attempts at one ``IdempotentCall`` share one charge: it is kept when any of them is kept, and given back when
/// the last of them is.
package struct Reservation: Sendable, Hashable {
    /// The wish for one, as part of an admission.
    package struct Request: Sendable, Hashable {
        /// The longest lease. A call of a day ago must not come back.
        package static let maximumLeaseSeconds: Int64 = 3600

        /// Names the reservation among all of the user's; random.
        package let id: String

        /// How long the worker has to tell what became of the request. Longer than the upstream may take to answer.
        package let leaseSeconds: Int64

        /// Fails when `id` is not 1 to 64 ASCII letters, digits and `-`, or the lease is not 1 second to
        /// ``maximumLeaseSeconds``.
        package init?(id: String, leaseSeconds: Int64) {
            guard (1...64).contains(id.utf8.count), id.utf8.allSatisfy(Self.isAllowed),
                (1...Self.maximumLeaseSeconds).contains(leaseSeconds)
            else { return nil }
            self.id = id
            self.leaseSeconds = leaseSeconds
        }

        private static func isAllowed(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }

    /// What became of the request.
    package enum Outcome: Sendable, Hashable {
        /// The calls stay charged.
        case keep
        /// The calls go back to the user.
        case giveBack
    }

    package let id: String
    package let userID: UserID

    /// Calls that were charged.
    package let calls: Int

    /// The period that they were charged in.
    package let period: BillingPeriod

    /// The day that they were charged on.
    package let day: CalendarDay

    /// What they are booked under: ``AdmissionRequest/route``.
    package let route: String

    /// The key of the ``IdempotentCall`` that this is an attempt at. Nil for an ordinary call.
    package let idempotencyKey: String?

    package init(
        id: String, userID: UserID, calls: Int, period: BillingPeriod, day: CalendarDay, route: String,
        idempotencyKey: String? = nil
    ) {
        self.id = id
        self.userID = userID
        self.calls = calls
        self.period = period
        self.day = day
        self.route = route
        self.idempotencyKey = idempotencyKey
    }
}
