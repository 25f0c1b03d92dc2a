import TollgateCore

/// That what is known of a user's purchases is not what it was, and what has become of the plan.
struct PlanChange: Sendable, Hashable, CustomStringConvertible {
    let user: UserID

    /// The names of the plans that the user had and has.
    let before, after: String

    /// One line for the operator. The plan may be the same as before, when a period or a status is another.
    var description: String { "\(user): \(before == after ? "\(after), as before" : "\(before) → \(after)")" }
}
