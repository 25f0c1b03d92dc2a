/// What operators have decided about a user, beside what the user has bought. It stands in the user's record, where
/// admissions read it: a decision is effective with the next call on every worker.
///
/// `Scripts/admit.lua` in TollgateStore applies it; a test compares the two.
package struct OperatorTerms: Sendable, Hashable {
    /// Grants of one user that are remembered. Of more, those that are over are forgotten first, then the oldest.
    package static let maximumGrants = 8

    /// The user may not call. Nil when they may.
    package var block: Block?

    /// Limits that count instead of those of the plan. Nil for none.
    package var limits: Limits?

    /// Calls on top of the quota, the oldest first.
    package private(set) var grants: [Grant]

    /// No call of the user is admitted.
    package struct Block: Sendable, Hashable {
        /// What the caller is told.
        package let reason: OperatorReason
        package let since: UnixTime

        package init(reason: OperatorReason, since: UnixTime) {
            self.reason = reason
            self.since = since
        }
    }

    /// What counts instead of the plan that is bought, or instead of its limits.
    package struct Limits: Sendable, Hashable {
        /// The name of the plan. Nil for the one that is bought.
        package var plan: String?

        /// Calls in a period, 0 to ``Plan/maximumLimit``. Nil for those of the plan.
        package var quota: Int?

        /// Requests in a minute, 0 to ``Plan/maximumLimit``. Nil for those of the plan.
        package var ratePerMinute: Int?

        /// When they end. Nil for never.
        package var until: UnixTime?

        package var reason: OperatorReason?

        package init(
            plan: String? = nil, quota: Int? = nil, ratePerMinute: Int? = nil, until: UnixTime? = nil,
            reason: OperatorReason? = nil
        ) {
            self.plan = plan
            self.quota = quota
            self.ratePerMinute = ratePerMinute
            self.until = until
            self.reason = reason
        }

        package func counts(at time: UnixTime) -> Bool { until.map { $0 > time } ?? true }
    }

    /// Calls on top of the quota.
    package struct Grant: Sendable, Hashable {
        /// Tells the user's grants apart; letters and digits.
        package let id: String

        /// 1 to ``Plan/maximumLimit``.
        package let calls: Int

        /// The one period that has them, by its ``BillingPeriod/name``. Nil for each period.
        package let period: String?

        /// When it ends. Nil for never.
        package let until: UnixTime?

        package let reason: OperatorReason?

        package init(id: String, calls: Int, period: String?, until: UnixTime?, reason: OperatorReason?) {
            self.id = id
            self.calls = calls
            self.period = period
            self.until = until
            self.reason = reason
        }

        /// Whether it adds to the quota of the period that is called `period`.
        package func counts(in period: String, at time: UnixTime) -> Bool {
            (self.period.map { $0 == period } ?? true) && (until.map { $0 > time } ?? true)
        }

        /// Whether no call can have it any more.
        fileprivate func isOver(in period: String, at time: UnixTime) -> Bool {
            self.period.map { $0 < period } ?? false || until.map { $0 <= time } ?? false
        }
    }

    package init(block: Block? = nil, limits: Limits? = nil, grants: [Grant] = []) {
        self.block = block
        self.limits = limits
        self.grants = grants.suffix(Self.maximumGrants)
    }

    /// Nothing was decided.
    package var isEmpty: Bool { block == nil && limits == nil && grants.isEmpty }

    /// Adds a grant.
    ///
    /// - Parameters:
    ///   - period: The name of the present period.
    ///   - time: Now.
    /// - Returns: False when there are ``maximumGrants`` already that are not over.
    package mutating func add(_ grant: Grant, in period: String, at time: UnixTime) -> Bool {
        grants.removeAll { $0.isOver(in: period, at: time) }
        guard grants.count < Self.maximumGrants else { return false }
        grants.append(grant)
        return true
    }

    /// Takes a grant back.
    ///
    /// - Returns: False when there is none of that id.
    package mutating func removeGrant(_ id: String) -> Bool {
        let count = grants.count
        grants.removeAll { $0.id == id }
        return grants.count < count
    }

    /// The plan that is given. Nil where none is, where it has ended, and for one that is not among `plans`: such a one decides
    /// nothing.
    package func plan(among plans: PlanTable, at time: UnixTime) -> Plan? {
        guard let limits, limits.counts(at: time) else { return nil }
        return limits.plan.flatMap { plans[$0] }
    }

    /// The calls of the period that is called `period` that a user of `plan` has, with what is granted.
    package func quota(of plan: Plan, in period: String, at time: UnixTime) -> Int {
        let own = limits.flatMap { $0.counts(at: time) ? $0.quota : nil }
        return (own ?? plan.quota) + grantedCalls(in: period, at: time)
    }

    /// Calls on top of the quota of the period that is called `period`, ``Plan/maximumLimit`` at most.
    package func grantedCalls(in period: String, at time: UnixTime) -> Int {
        let counting = grants.filter { $0.counts(in: period, at: time) }
        // Bounded: few of them, each far from the end of the numbers.
        return min(counting.map(\.calls).reduce(0, +), Plan.maximumLimit)
    }
}

/// Why an operator has decided something: one line for people.
package struct OperatorReason: Sendable, Hashable, CustomStringConvertible {
    /// In bytes of UTF-8: it is read with each call of the user.
    package static let maximumLength = 160

    package let text: String

    /// Nil for an empty text, a longer one, and one with characters that end a line or move what is beside them.
    package init?(_ text: String) {
        guard !text.isEmpty, text.utf8.count <= Self.maximumLength,
            !text.unicodeScalars.contains(where: { scalar in
                switch scalar.properties.generalCategory {
                case .control, .lineSeparator, .paragraphSeparator: true
                default: scalar.properties.isBidiControl
                }
            })
        else { return nil }
        self.text = text
    }

    package var description: String { text }
}
