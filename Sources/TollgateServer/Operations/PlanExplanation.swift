import TollgateCore

/// Why a plan counts for a user, in a sentence. The rule is that of ``PlanResolution``, for a call that claims no plan.
struct PlanExplanation: Sendable, Hashable {
    enum Source: String, Sendable {
        /// What an operator has given instead of what is bought.
        case operators = "operator"
        /// What billing says.
        case subscription
        /// What the last call had.
        case lastSeen = "last-seen"
        /// Nothing is known.
        case fallback
    }

    let source: Source

    /// The name of the plan by that rule. It need not be in the plan table.
    let wanted: String

    let reason: String

    /// What a session token that claims a plan would change.
    let tokens: String

    /// - Parameters:
    ///   - unsoldPrices: Those of the subscription behind the record, if none of them sells a plan.
    ///   - terms: What operators have decided.
    ///   - period: The name of the present period.
    init(
        record: SubscriptionRecord?, unsoldPrices: [String] = [], lastSeen: String?, terms: OperatorTerms = .init(),
        period: String = "", plans: PlanTable, at time: UnixTime, pastDueGraceSeconds: Int64
    ) {
        let resolved = PlanResolution.resolve(
            record: record, claimedPlan: nil, claimIssuedAt: nil, lastSeen: lastSeen, now: time,
            pastDueGraceSeconds: pastDueGraceSeconds)
        let given = terms.plan(among: plans, at: time)
        wanted = given?.name ?? resolved
        let why: String
        if let given {
            source = .operators
            why =
                "An operator has given '\(given.name)'\(terms.limits?.ending ?? "") instead of "
                + (record == nil ? "what was seen last, '\(resolved)'." : "what is bought, '\(resolved)'.")
            tokens = "No session token changes that."
        } else if let record {
            source = .subscription
            let prices =
                unsoldPrices.isEmpty
                ? ""
                : " Its price sells no plan here: \(unsoldPrices.joined(separator: ", ")). Add it to the priceIds of a plan."
            why = record.reason(at: time, pastDueGraceSeconds: pastDueGraceSeconds) + prices
            tokens = record.tokens(at: time, pastDueGraceSeconds: pastDueGraceSeconds)
        } else if let lastSeen {
            source = .lastSeen
            why = "There is no subscription, so the plan that was seen last counts: '\(lastSeen)'."
            tokens = Self.anyTokenCounts
        } else {
            source = .fallback
            why = "There is no subscription, and no plan was ever seen: '\(PlanTable.fallbackName)' is every user's."
            tokens = Self.anyTokenCounts
        }
        let isKnown = plans[wanted] != nil
        let table =
            isKnown
            ? why
            : "\(why) The plan table has no '\(wanted)', so '\(PlanTable.fallbackName)' counts in its place; add it under "
                + "'plans' in tollgate.yaml."
        reason = ([table] + terms.sentences(in: period, at: time)).joined(separator: " ")
    }

    private static let anyTokenCounts = "A session token that claims a plan counts instead."
}

extension OperatorTerms.Limits {
    /// Until when they count, as a part of a sentence.
    fileprivate var ending: String { until.map { " until \($0.spoken)" } ?? "" }
}

extension OperatorTerms {
    /// What of them changes the limits of a plan now.
    fileprivate func sentences(in period: String, at time: UnixTime) -> [String] {
        var sentences: [String] = []
        if let limits, limits.counts(at: time) {
            let figures = [
                limits.quota.map { "the quota to \($0)" }, limits.ratePerMinute.map { "the rate to \($0) a minute" },
            ].compactMap(\.self)
            if !figures.isEmpty {
                sentences.append(
                    "An operator has set \(figures.joined(separator: " and "))\(limits.ending).")
            }
        }
        let granted = grantedCalls(in: period, at: time)
        if granted > 0 { sentences.append("Operators have granted \(granted) calls on top of the quota.") }
        return sentences
    }
}

extension SubscriptionRecord {
    fileprivate func reason(at time: UnixTime, pastDueGraceSeconds: Int64) -> String {
        let fallback = PlanTable.fallbackName
        switch status {
        case .active where isByHand: return "An operator has given '\(plan)'."
        case .active, .trialing: return "The subscription is \(status.name), which grants '\(plan)'."
        case .pastDue:
            guard let pastDueSince, let end = graceEnd(pastDueGraceSeconds: pastDueGraceSeconds) else {
                return "A payment is owed, and it is not recorded since when, so '\(fallback)' counts."
            }
            return graceIsOver(at: time, pastDueGraceSeconds: pastDueGraceSeconds)
                ? "A payment has been owed since \(pastDueSince.spoken), and the grace was over at \(end.spoken), so "
                    + "'\(planAfterGrace ?? fallback)' counts."
                : "A payment has been owed since \(pastDueSince.spoken); '\(plan)' stays until "
                    + "\(min(end, endsAt ?? end).spoken)."
        default: return "The subscription is \(status.name), which grants nothing, so '\(fallback)' counts."
        }
    }

    fileprivate func tokens(at time: UnixTime, pastDueGraceSeconds: Int64) -> String {
        if graceIsOver(at: time, pastDueGraceSeconds: pastDueGraceSeconds) {
            return "No session token changes that as long as the payment is owed."
        }
        guard let clerkUpdatedAt else {
            return "No session token changes that, for Clerk has not been told of the subscription."
        }
        return "A session token that claims a plan counts instead if it was issued after "
            + "\(max(writtenAt, clerkUpdatedAt).spoken)."
    }
}

extension UnixTime {
    /// Such as `2026-11-25 14:03 UTC`.
    var spoken: String { iso8601.prefix(16).replacing("T", with: " ") + " UTC" }
}
