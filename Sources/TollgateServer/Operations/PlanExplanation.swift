import TollgateCore

/// Why a plan counts for a user, in a sentence. The rule is that of ``PlanResolution``, for a call that claims no plan.
struct PlanExplanation: Sendable, Hashable {
    enum Source: String, Sendable {
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

    /// - Parameter unsoldPrices: Those of the subscription behind the record, if none of them sells a plan.
    init(
        record: SubscriptionRecord?, unsoldPrices: [String] = [], lastSeen: String?, plans: PlanTable,
        at time: UnixTime, pastDueGraceSeconds: Int64
    ) {
        wanted = PlanResolution.resolve(
            record: record, claimedPlan: nil, claimIssuedAt: nil, lastSeen: lastSeen, now: time,
            pastDueGraceSeconds: pastDueGraceSeconds)
        let why: String
        if let record {
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
        reason =
            isKnown
            ? why
            : "\(why) The plan table has no '\(wanted)', so '\(PlanTable.fallbackName)' counts in its place; add it under "
                + "'plans' in tollgate.yaml."
    }

    private static let anyTokenCounts = "A session token that claims a plan counts instead."
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
