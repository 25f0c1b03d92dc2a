/// What a user was charged for on one day, by route. The days of a period add up to its count.
package struct UsageDay: Sendable, Hashable {
    /// How far back the days are kept, today included.
    package static let keptDays = 31

    package let day: CalendarDay

    /// By ``AdmissionRequest/route``. Routes without a call are left out.
    package let calls: [String: Int]

    package init(day: CalendarDay, calls: [String: Int]) {
        self.day = day
        self.calls = calls
    }
}

/// Tells what users were charged for, day by day.
package protocol UsageHistory: Sendable {
    /// The `count` days that end with `last`, oldest first; those without calls as well.
    ///
    /// - Parameter count: 1 to ``UsageDay/keptDays``.
    func days(_ count: Int, until last: CalendarDay, of user: UserID) async throws(StoreUnavailable) -> [UsageDay]
}
