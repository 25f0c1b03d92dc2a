package import TollgateCore

/// A user to sign in as: one for each state that the dashboard can show.
package struct SampleUser: Sendable, Hashable {
    package let userID: UserID
    package let name: String

    /// What there is to see.
    let story: String

    /// Calls of this month.
    package let calls: Int

    package let purchase: Purchase

    /// What they have bought.
    package enum Purchase: Sendable, Hashable {
        case nothing
        case plan
        /// A plan whose last payment has failed.
        case unpaidPlan
    }

    /// Fails when `id` is no user id.
    private init?(_ id: String, _ name: String, _ story: String, calls: Int, purchase: Purchase = .nothing) {
        guard let userID = UserID(id) else { return nil }
        self.userID = userID
        self.name = name
        self.story = story
        self.calls = calls
        self.purchase = purchase
    }

    package static let all: [SampleUser] = [
        SampleUser("user_free", "Fay Freeman", "on the free plan, 2 of 5 calls", calls: 2),
        SampleUser("user_near", "Nia Nearly", "near the limit, 4 of 5 calls", calls: 4),
        SampleUser("user_exhausted", "Ed Exhausted", "out of calls, 5 of 5", calls: 5),
        SampleUser("user_paid", "Pat Payne", "on the paid plan, 137 of 500 calls", calls: 137, purchase: .plan),
        SampleUser(
            "user_past_due", "Dee Dewey", "on the paid plan, and the last payment failed", calls: 60,
            purchase: .unpaidPlan),
    ].compactMap(\.self)
}
