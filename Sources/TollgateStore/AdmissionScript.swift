import TollgateCore

extension AdmissionForm {
    /// Where the arguments of the longest form are; where those of a shorter form are that are elsewhere there
    /// (`TOKEN_ISSUED_AT`); and how many arguments each form has (`TOKEN_FORM`).
    fileprivate static var luaPlaces: String {
        let shared = SharedAdmissionArgument.allCases.map(\.rawValue)
        let names = shared + everything.arguments.map(\.rawValue)
        let moved = allCases.flatMap { form in
            let ofForm = shared + form.arguments.map(\.rawValue)
            return ofForm.indices.filter { ofForm[$0] != names[$0] }.map { place in
                (Lua.constant(form.rawValue) + "_" + Lua.constant(ofForm[place]), place + 1)
            }
        }
        return Lua.places(AdmissionKey.allCases.map(\.rawValue), suffix: "_KEY") + Lua.places(names)
            + Lua.assign(moved.map(\.0), moved.map(\.1))
            + Lua.assign(allCases.map { Lua.constant($0.rawValue) + "_FORM" }, allCases.map(\.argumentCount))
    }
}

/// What stands before `admit.lua` and is no script of its own: its names, the plan table, and whether clocks are compared.
/// It is part of the script and not sent with its calls: an admission costs as much with 64 plans as with two. Workers with
/// other plans run a script of another name.
enum AdmissionPrelude {
    /// How far a worker's time may be from that of Redis when something is written for good, in seconds. Far longer than
    /// a call waits for Redis, and far shorter than a minute.
    static let clockToleranceSeconds = 5

    /// The script's names for values that were none.
    private static let oddities: [(name: String, oddity: Oddities)] = [
        ("PLAN_UNKNOWN", .planUnknown), ("ODD_COUNT", .count), ("ODD_PERIOD", .period), ("ODD_MINUTE", .minute),
        ("ODD_DAY", .day), ("ODD_ROUTE_MINUTE", .routeMinute),
    ]

    /// The places of keys and arguments, the numbers of outcomes and oddities, `CLOCK_TOLERANCE_SECONDS`, `FALLBACK_PLAN`,
    /// and the function `plan_named`.
    static func source(_ table: PlanTable, comparesClocks: Bool) -> String {
        let branches = table.plans.enumerated().map { place, plan in
            // A plan's name has no character that means something in a literal (`Plan.isValidName`).
            "  if name == \(Lua.quoted(plan.name)) then return \(place), \(plan.quota), \(plan.ratePerMinute) end\n"
        }
        return AdmissionForm.luaPlaces
            + Lua.assign(AdmissionVerdict.named.map(\.name), Array(1...AdmissionVerdict.named.count))
            + Lua.assign(oddities.map(\.name), oddities.map(\.oddity.rawValue)) + """
                local CLOCK_TOLERANCE_SECONDS = \(comparesClocks ? "\(clockToleranceSeconds)" : "nil")
                local FALLBACK_PLAN = \(Lua.quoted(table.fallback.name))
                local function plan_named(name)
                \(branches.joined())end

                """
    }
}
