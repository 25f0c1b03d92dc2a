/// What a user was charged for on one day, by route. The days of a period add up to its count.
package struct UsageDay: Sendable, Hashable {
    /// How far back the days are kept, today included.
    package static let keptDays = 400

    package let day: CalendarDay

    /// By ``AdmissionRequest/route``. Routes without a call are left out.
    package let calls: [String: Int]

    /// Requests that were refused. What refused none is left out.
    package let refusals: [CountedRefusal: Int]

    package init(day: CalendarDay, calls: [String: Int], refusals: [CountedRefusal: Int] = [:]) {
        self.day = day
        self.calls = calls
        self.refusals = refusals
    }
}

/// Why a user's request was refused, as far as history tells. The raw value is the code of the answer. What shows only that
/// the caller is not who they say is nobody's refusal.
package enum CountedRefusal: String, Sendable, Hashable, CaseIterable {
    case rateLimited = "rate-limit-exceeded"
    case quotaExceeded = "quota-exceeded"
    case userBlocked = "user-blocked"
    case scopeMissing = "scope-missing"
    case addressNotAllowed = "address-not-allowed"
}

/// Tells what users were charged for, day by day.
package protocol UsageHistory: Sendable {
    /// The `count` days that end with `last`, oldest first; those without calls as well.
    ///
    /// - Parameter count: 1 to ``UsageDay/keptDays``.
    func days(_ count: Int, until last: CalendarDay, of user: UserID) async throws(StoreUnavailable) -> [UsageDay]
}
