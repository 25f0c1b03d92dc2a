/// Decides and charges admissions, exactly, for all workers together.
package protocol AdmissionStore: Sendable {
    /// Checks every limit, then charges all of them or none.
    ///
    /// - Throws: ``StoreUnavailable`` when the decision could not be had. A lost reply may have been charged; it is
    ///   never repeated, so a count can be one too high and a limit is never broken.
    func admit(_ request: AdmissionRequest) async throws(StoreUnavailable) -> AdmissionDecision

    /// What ``admit(_:)`` would say now, without charging anything and without a place in the minute. Idempotency and
    /// reservation of the request do not count.
    func peek(_ request: AdmissionRequest) async throws(StoreUnavailable) -> AdmissionDecision

    /// Ends a reservation, once: whoever comes second changes nothing.
    ///
    /// - Returns: False when it had ended before. Most likely its lease had run out, and its calls were given back.
    /// - Throws: ``StoreUnavailable`` when it is not known whether it has ended. Then it ends with its lease.
    @discardableResult
    func settle(_ reservation: Reservation, as outcome: Reservation.Outcome) async throws(StoreUnavailable) -> Bool
}

/// The shared state cannot be reached, or it answers something that is no answer.
package struct StoreUnavailable: Error, Sendable, Hashable, CustomStringConvertible {
    /// For the operator's log. It never reaches a caller.
    package let reason: String

    package init(reason: String) { self.reason = reason }

    package var description: String { reason }
}

/// Tells the time. Production reads the system's clock, corrected by Redis'; tests say what time it is.
package protocol TimeSource: Sendable {
    func now() -> UnixTime
}
