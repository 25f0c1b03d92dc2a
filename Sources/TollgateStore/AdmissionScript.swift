import Hiredis
import TollgateCore

/// The keys that `admit.lua` is given, in their order: the script's names for them are made of these. `minute` is
/// `KEYS[MINUTE_KEY]`.
enum AdmissionKey: String, CaseIterable {
    /// The counter of the clock minute.
    case minute
    case usage
    case subscription

    /// Where what the credential is compared with stands. Of a token nothing does.
    case credential

    /// The record of the call that may be repeated.
    case idempotency

    /// The counter of the clock minute on the route.
    case routeMinute
}

/// What many admissions have in common, in the order in which it is given to `admit.lua`: it comes first of all arguments.
enum SharedAdmissionArgument: String, CaseIterable {
    /// The first and the last day of the billing period (YYYY-MM-DD).
    case periodStart, periodEnd

    /// For people (ISO 8601).
    case now

    /// How long the usage record is kept from now on, in seconds.
    case recordSeconds

    /// Who has owed a payment since then or longer has had their grace (ISO 8601).
    case graceStart
}

/// What else `admit.lua` is given for one admission, in its order. The script's names for their places are made of these:
/// `routeRate` is `ARGV[ROUTE_RATE]`.
enum AdmissionArgument: String, CaseIterable {
    /// In calls.
    case cost

    /// What the calls are booked under.
    case route

    /// `key` or `platform`, what ``AdmissionKey/credential`` is. Empty for a token.
    case credentialKind

    /// SHA-256 of the presented key; of a platform's key the SHA-1.
    case digest

    /// The scopes that are needed, with spaces between them; of a platform's key only those that it never has.
    case scopes

    /// The plan that the credential claims, and when it was issued (ISO 8601). Empty when it does not say.
    case claimedPlan, issuedAt

    /// 1 = an exhausted quota refuses; 0 = it only stops counting.
    case enforcesQuota

    /// 1 = only tell what would be decided.
    case onlyTells

    /// The request's. Empty when it bears no idempotency key.
    case fingerprint

    /// How long the call is remembered (ISO 8601).
    case rememberedUntil

    /// The id. Empty without one.
    case reservation

    /// When the lease of the reservation ends (ISO 8601).
    case leaseEnd

    /// 1 = the calls of the reservation go back when the request fails.
    case givesBack

    /// The route's own rate per minute. Empty without one.
    case routeRate

    /// Calls with an idempotency key that are remembered of one user.
    case rememberedCalls
}

/// How much there is to look at. The script tells the forms apart by the number of arguments. A key claims no plan.
enum AdmissionForm: String, CaseIterable {
    case token
    case key
    case everything

    var keys: [AdmissionKey] {
        switch self {
        case .token: Self.keysOfToken
        case .key: Self.keysOfKey
        case .everything: Self.allKeys
        }
    }

    /// Those that follow the ones that many admissions have in common.
    var arguments: [AdmissionArgument] {
        switch self {
        case .token: Self.argumentsOfToken
        case .key: Self.argumentsOfKey
        case .everything: Self.allArguments
        }
    }

    var argumentCount: Int { Self.sharedCount + arguments.count }

    private static let sharedCount = SharedAdmissionArgument.allCases.count
    private static let keysOfToken: [AdmissionKey] = [.minute, .usage, .subscription]
    private static let keysOfKey: [AdmissionKey] = keysOfToken + [.credential]
    private static let allKeys = AdmissionKey.allCases
    private static let argumentsOfToken: [AdmissionArgument] = [.cost, .route, .claimedPlan, .issuedAt]
    private static let argumentsOfKey: [AdmissionArgument] = [.cost, .route, .credentialKind, .digest, .scopes]
    private static let allArguments = AdmissionArgument.allCases

    /// Where the arguments of the longest form are; where those of a shorter form are that are elsewhere there
    /// (`TOKEN_ISSUED_AT`); and how many arguments each form has (`TOKEN_FORM`).
    fileprivate static var luaPlaces: String {
        let shared = SharedAdmissionArgument.allCases.map(\.rawValue)
        let names = shared + allArguments.map(\.rawValue)
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

/// What `admit.lua` has decided. Its numbers for them, from 1, are made of this order: `keyUnknown` is `KEY_UNKNOWN`.
enum AdmissionOutcome: String, CaseIterable {
    case admitted, rateLimited, quotaExceeded
    case keyUnknown, keyRevoked, keyExpired, scopeMissing
    case idempotencyKeyReused, idempotencyKeyInUse, replayed

    /// The worker's time is not that of Redis. Nothing was decided.
    case clockDiffers

    private static let all = allCases

    /// Nil for a number that this version does not know.
    init?(code: Int64) {
        guard (1...Int64(Self.all.count)).contains(code) else { return nil }
        self = Self.all[Int(code) - 1]
    }
}

/// The integers that `admit.lua` answers, in their order. Of a key that is not let in, and where clocks differ, nothing but
/// the outcome is told. What the longest form tells besides has a text behind it: the reservation as it stands in
/// `reservations:{user}`, or nothing.
enum AdmissionReply: Int {
    case outcome

    /// Calls of the period.
    case usageCount

    /// The plan's place in the table, from 0.
    case plan

    /// Requests in this minute.
    case minuteCount

    /// ``Oddities``
    case oddities

    /// The first day of the period counted in (YYYYMMDD). 0 if it is the one that the script was given.
    case periodStart

    /// Calls that may go back.
    case reservedCalls

    /// 1 if an earlier attempt has paid.
    case isPaid

    /// Requests on the route in this minute.
    case routeMinuteCount

    /// How many integers a reply to a call of `form` has.
    static func count(for form: AdmissionForm) -> Int {
        form == .everything ? Self.routeMinuteCount.rawValue + 1 : Self.periodStart.rawValue + 1
    }
}

extension IntegerReply {
    subscript(_ field: AdmissionReply) -> Int { Int(self[field.rawValue]) }
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
        return AdmissionForm.luaPlaces + Lua.places(AdmissionOutcome.allCases.map(\.rawValue))
            + Lua.assign(oddities.map(\.name), oddities.map(\.oddity.rawValue)) + """
                local CLOCK_TOLERANCE_SECONDS = \(comparesClocks ? "\(clockToleranceSeconds)" : "nil")
                local FALLBACK_PLAN = \(Lua.quoted(table.fallback.name))
                local function plan_named(name)
                \(branches.joined())end

                """
    }
}
