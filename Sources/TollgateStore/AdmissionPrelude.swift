import TollgateCore

/// What stands before `admit.lua` and is no script of its own: the plan table, and whether clocks are compared. It is part
/// of the script and not sent with its calls: an admission costs as much with 64 plans as with two. Workers with other
/// plans run a script of another name.
enum AdmissionPrelude {
    /// How far a worker's time may be from that of Redis when something is written for good, in seconds. Far longer than
    /// a call waits for Redis, and far shorter than a minute.
    static let clockToleranceSeconds = 5

    /// `CLOCK_TOLERANCE_SECONDS`, `FALLBACK_PLAN`, and the function `plan_named`.
    static func source(_ table: PlanTable, comparesClocks: Bool) -> String {
        let branches = table.plans.enumerated().map { place, plan in
            "  if name == \(quoted(plan.name)) then return \(place), \(plan.quota), \(plan.ratePerMinute) end\n"
        }
        return """
            local CLOCK_TOLERANCE_SECONDS = \(comparesClocks ? "\(clockToleranceSeconds)" : "nil")
            local FALLBACK_PLAN = \(quoted(table.fallback.name))
            local function plan_named(name)
            \(branches.joined())end

            """
    }

    /// A plan's name has no character that means something in a literal (`Plan.isValidName`).
    private static func quoted(_ name: String) -> String { "'\(name)'" }
}
