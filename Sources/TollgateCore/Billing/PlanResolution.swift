/// Which source decides a user's plan.
///
/// Billing's record, effective at once on every worker; unless the token is newer than both the record and Clerk's
/// knowledge of it, for then Clerk may know of something later, such as a plan that was given by hand. Without a
/// record the token's claim counts, else the plan last seen, else the fallback.
///
/// `Scripts/admit.lua` in TollgateStore says the same once more; a test compares the two.
package enum PlanResolution {
    /// How long a customer whose payment is owed keeps the plan, unless configured: a week.
    package static let standardPastDueGraceSeconds: Int64 = 7 * 86_400

    /// Clerk's clock may be ahead of ours by so much: a token that seems to be newer by less may be older.
    package static let claimMarginSeconds: Int64 = 5

    /// The name of the plan that counts at `now`. It need not be in the plan table.
    ///
    /// - Parameters:
    ///   - claimedPlan: What the credential claims. Nil when it claims nothing.
    ///   - claimIssuedAt: When the credential was issued. Nil when it does not say; it is not newer than a record then.
    ///   - lastSeen: The plan that the last admission applied.
    package static func resolve(
        record: SubscriptionRecord?, claimedPlan: String?, claimIssuedAt: UnixTime?, lastSeen: String?,
        now: UnixTime, pastDueGraceSeconds: Int64 = standardPastDueGraceSeconds
    ) -> String {
        guard let record else { return claimedPlan ?? lastSeen ?? PlanTable.fallbackName }
        if let claimedPlan, let claimIssuedAt,
            record.isOlder(thanClaimIssuedAt: claimIssuedAt, now: now, pastDueGraceSeconds: pastDueGraceSeconds)
        {
            return claimedPlan
        }
        return record.grantedPlan(at: now, pastDueGraceSeconds: pastDueGraceSeconds)
    }
}

extension SubscriptionRecord {
    /// Tokens say when they were issued in whole seconds: one of the same second may be from before.
    ///
    /// A grace that has run out is news that Clerk does not have: no event told of it. So no claim is newer.
    fileprivate func isOlder(thanClaimIssuedAt issuedAt: UnixTime, now: UnixTime, pastDueGraceSeconds: Int64) -> Bool {
        guard let clerkUpdatedAt, !graceIsOver(at: now, pastDueGraceSeconds: pastDueGraceSeconds) else { return false }
        return issuedAt.adding(seconds: -PlanResolution.claimMarginSeconds).seconds
            > max(writtenAt.seconds, clerkUpdatedAt.seconds)
    }
}
