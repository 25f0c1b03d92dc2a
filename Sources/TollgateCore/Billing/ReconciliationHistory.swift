/// What the last reconciliations with the payment provider have found.
package struct ReconciliationHistory: Sendable, Hashable {
    /// When the last one ended.
    package var ranAt: UnixTime

    /// When all subscriptions were gone through last. Nil when they never were.
    package var wentThroughAllAt: UnixTime?

    /// Up to when it is known which events were not delivered.
    package var eventsSeenUntil: UnixTime

    /// Subscriptions that the last one has looked at, and those of them that were not as they are at the provider.
    package var checked: Int
    package var mended: Int

    /// Those that could not be read or settled.
    package var failures: Int

    /// Which prices sell which plan, as the last one went by. Nil when it did not say.
    package var terms: String?

    /// Whether an operator has asked for a pass through all subscriptions that has not been made since.
    ///
    /// - Parameters:
    ///   - askedAt: Nil when none was asked for.
    ///   - history: Nil when there was no reconciliation.
    package static func isAwaited(askedAt: UnixTime?, _ history: ReconciliationHistory?) -> Bool {
        guard let askedAt else { return false }
        guard let last = history?.wentThroughAllAt else { return true }
        // Moments are whole seconds: one that began in the same second may have begun before.
        return last <= askedAt
    }

    package init(
        ranAt: UnixTime, wentThroughAllAt: UnixTime?, eventsSeenUntil: UnixTime, checked: Int, mended: Int,
        failures: Int, terms: String? = nil
    ) {
        self.ranAt = ranAt
        self.wentThroughAllAt = wentThroughAllAt
        self.eventsSeenUntil = eventsSeenUntil
        self.checked = checked
        self.mended = mended
        self.failures = failures
        self.terms = terms
    }
}
