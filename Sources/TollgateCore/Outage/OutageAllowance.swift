/// How often each user may pass a worker while the store cannot be asked: in each minute its part of the rate of the
/// user's plan, and in the minute in which the outage began its part of what was left of that.
///
/// Pure. Bounded: the user not seen for longest is forgotten first, and then has the plan of their credential and a
/// minute of which nothing is used.
package struct OutageAllowance: Sendable {
    private struct MinuteUsage: Sendable {
        /// By the plan that counted last. Nil for a user whom the store has not admitted here.
        var ratePerMinute: Int?
        /// As the store has said last, of all workers together.
        var requests = Count()
        /// Without the store, on this worker.
        var passes = Count()
    }

    private struct Count: Sendable {
        var window: RateWindow?
        var number = 0

        func `in`(_ window: RateWindow) -> Int { self.window == window ? number : 0 }
    }

    private var usages: RecencyCache<UserID, MinuteUsage>

    /// - Parameter capacity: Users that are remembered.
    package init(capacity: Int) { usages = RecencyCache(capacity: capacity) }

    /// The store has said where the rate of `user` stands.
    package mutating func saw(_ rate: RateSnapshot, of user: UserID) {
        usages.update(user, from: MinuteUsage()) { usage in
            usage.ratePerMinute = rate.limit
            usage.requests = Count(window: rate.window, number: rate.count)
        }
    }

    /// Whether `user` may pass now; counted if so.
    ///
    /// - Parameters:
    ///   - unknownRate: The rate per minute of a user whom the store has not admitted here.
    ///   - share: What of it is this worker's.
    package mutating func admits(
        _ user: UserID, unknownRate: Int, share: WorkerShare, at time: UnixTime
    ) -> Bool {
        let window = RateWindow(containing: time)
        var usage = usages.value(for: user) ?? MinuteUsage()
        let rate = usage.ratePerMinute ?? unknownRate
        // A count below 0 is a credit for this minute. What it adds, only the store knows.
        let left = rate - max(0, usage.requests.in(window))
        let passes = usage.passes.in(window)
        guard passes < share.part(of: left) else { return false }
        usage.passes = Count(window: window, number: passes + 1)
        usages.insert(usage, for: user)
        return true
    }
}
