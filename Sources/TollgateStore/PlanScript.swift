import TollgateCore

/// The plan table as the beginning of `admit.lua`. It is part of the script and not sent with its calls: an admission
/// costs as much with 64 plans as with two. Workers with other plans run a script of another name.
enum PlanScript {
    /// `FALLBACK_PLAN` and the function `plan_named`.
    static func source(_ table: PlanTable) -> String {
        let branches = table.plans.enumerated().map { place, plan in
            "  if name == \(quoted(plan.name)) then return \(place), \(plan.quota), \(plan.ratePerMinute) end\n"
        }
        return """
            local FALLBACK_PLAN = \(quoted(table.fallback.name))
            local function plan_named(name)
            \(branches.joined())end

            """
    }

    /// A plan's name has no character that means something in a literal (`Plan.isValidName`).
    private static func quoted(_ name: String) -> String { "'\(name)'" }
}
