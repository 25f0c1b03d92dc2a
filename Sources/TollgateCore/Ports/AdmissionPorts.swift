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

    /// Ends a reservation, once: a second settlement changes nothing.
    ///
    /// - Returns: False when it had ended before. Most likely its lease had run out, and its calls were given back.
    /// - Throws: ``StoreUnavailable`` when it is not known whether it has ended. Asking again does no harm.
    @discardableResult
    func settle(_ reservation: Reservation, as outcome: Reservation.Outcome) async throws(StoreUnavailable) -> Bool
}

/// The store as a caller has it that may not wait, such as an event loop: a port belongs to one loop, is called on it
/// alone, and calls each `completion` once, on it.
///
/// What ``AdmissionStore`` does, and what else a request asks on its way.
package protocol AdmissionPort: AnyObject, Sendable {
    /// ``AdmissionStore/admit(_:)``.
    func admit(
        _ request: AdmissionRequest, completion: @escaping (Result<AdmissionDecision, StoreUnavailable>) -> Void)

    /// ``AdmissionStore/settle(_:as:)``.
    func settle(
        _ reservation: Reservation, as outcome: Reservation.Outcome,
        completion: @escaping (Result<Bool, StoreUnavailable>) -> Void)

    /// Gives `reservation` time until `leaseEnd`, if it has not ended. `completion` gets false when it had.
    func renew(
        _ reservation: Reservation, until leaseEnd: UnixTime,
        completion: @escaping (Result<Bool, StoreUnavailable>) -> Void)

    /// The answer that a repeat of `call` is to be given. `completion` gets nil when it is kept no more, or damaged.
    func storedAnswer(
        of call: IdempotentCall, by user: UserID,
        completion: @escaping (Result<StoredAnswer?, StoreUnavailable>) -> Void)

    /// Uses a ticket up. `completion` gets the caller whom it was issued to, and nil when there is no such ticket any
    /// more.
    func redeem(
        _ ticket: Ticket, at time: UnixTime, completion: @escaping (Result<Principal?, StoreUnavailable>) -> Void)
}

/// Charges calls that have passed while the store could not be asked.
package protocol OutageBookings: Sendable {
    /// Charges `batch` to the days and months that its calls passed in, whatever the limits say. Once: a batch that was
    /// booked before changes nothing, so asking again does no harm.
    ///
    /// - Parameter worker: The id of the worker that they passed, whose batches have growing numbers.
    /// - Throws: ``StoreUnavailable``. Of one that `mayBeDone` it is not known whether the batch is booked.
    func book(
        _ batch: OutageBook.Batch, passing worker: String, at time: UnixTime
    ) async throws(StoreUnavailable)
}

/// Finds the owners of platform keys. Found ones are remembered, as a hint: the admission compares the key with the one
/// that its owner has now.
package protocol PlatformKeyDirectory: Sendable {
    /// The key's owner, if remembered. At once.
    func remembered(_ key: PlatformKey) -> Principal?

    /// The key's owner. Nil when there is no such key.
    func principal(for key: PlatformKey) async throws(StoreUnavailable) -> Principal?
}
