/// A call in progress of which Redis is to hear what became of it: because it is given back unless it turns out well
/// (charging by outcome), or because it is an attempt at an ``IdempotentCall``.
///
/// A reservation ends once: kept, given back, or, when its worker died and the lease has run out, given back with the
/// user's next admission. So a customer never pays for a call whose outcome is unknown. The count can be too low, by
/// the calls whose worker died after the upstream had answered; it is never too high for longer than a lease. The
/// minute's count is not given back: the rate limit protects the upstream, which has seen the request. What goes back goes
/// to the period and the day that it was charged in, as long as they are remembered.
package struct Reservation: Sendable, Hashable {
    /// The request for one, as part of an admission.
    package struct Request: Sendable, Hashable {
        /// The longest lease. A call of a day ago must not come back.
        package static let maximumLeaseSeconds: Int64 = 3600

        /// Names the reservation among all of the user's; random.
        package let id: String

        /// How long the worker has to tell what became of the request, or to ask for more time. Longer than anything
        /// that is waited for.
        package let leaseSeconds: Int64

        /// Whether the calls go back to the user when the request fails. Else only another attempt at the same
        /// ``IdempotentCall`` is free then.
        package let givesBack: Bool

        /// Fails when `id` is not 1 to 64 ASCII letters, digits and `-`, or the lease is not 1 second to
        /// ``maximumLeaseSeconds``.
        package init?(id: String, leaseSeconds: Int64, givesBack: Bool = true) {
            guard (1...64).contains(id.utf8.count), id.utf8.allSatisfy(Self.isAllowed),
                (1...Self.maximumLeaseSeconds).contains(leaseSeconds)
            else { return nil }
            self.id = id
            self.leaseSeconds = leaseSeconds
            self.givesBack = givesBack
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
        /// The calls stay charged, and repeats of the ``IdempotentCall`` get this answer.
        case keepAndReplay(StoredAnswer)
        /// The calls go back to the user.
        case giveBack
    }

    package let id: String
    package let userID: UserID

    /// Calls that were charged and may go back. 0 when only an ``IdempotentCall`` waits for the outcome.
    package let calls: Int

    /// How the store has written it down, for the store alone. Empty when it has not: there is nothing to give back.
    package let record: String

    /// The key of the ``IdempotentCall`` that this is an attempt at. Nil for any other call.
    package let idempotencyKey: String?

    package init(id: String, userID: UserID, calls: Int, record: String, idempotencyKey: String? = nil) {
        self.id = id
        self.userID = userID
        self.calls = calls
        self.record = record
        self.idempotencyKey = idempotencyKey
    }
}
