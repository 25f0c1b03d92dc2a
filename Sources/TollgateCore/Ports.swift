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

/// The shared state cannot be reached, or it answers something that is no answer.
package struct StoreUnavailable: Error, Sendable {
    package enum Cause: Sendable, Hashable {
        /// Nothing that could serve a call has answered: it is away, too slow, or starting.
        case unreachable

        /// It has answered, and with an error. Often that concerns one user alone, whose records are damaged.
        case answeredError(StoreErrorCode)

        /// The time that it was asked with is not its own. The clock has been set by it since: ask again.
        case clockDiffers
    }

    package let cause: Cause

    /// What has failed, in its own words.
    package let origin: any Error

    /// What was asked may be done all the same, now or later: it was sent, and no answer came.
    package let mayBeDone: Bool

    /// Where the store was asked, or its answer was found to be none.
    private let file: StaticString
    private let line: UInt

    /// - Parameters:
    ///   - origin: An error whose description is fit for the operator's log.
    ///   - file: The place; by default the caller's.
    ///   - line: As `file`.
    package init(
        _ cause: Cause = .answeredError(.other), origin: any Error, mayBeDone: Bool = false,
        file: StaticString = #fileID, line: UInt = #line
    ) {
        self.cause = cause
        self.origin = origin
        self.mayBeDone = mayBeDone
        self.file = file
        self.line = line
    }

    /// For a failure of which nothing is known but a sentence.
    package init(
        _ cause: Cause = .answeredError(.other), reason: String, mayBeDone: Bool = false,
        file: StaticString = #fileID, line: UInt = #line
    ) {
        self.init(cause, origin: Said(description: reason), mayBeDone: mayBeDone, file: file, line: line)
    }

    private struct Said: Error, CustomStringConvertible { let description: String }

    /// For the operator's log. It never reaches a caller. The text is made anew each time.
    package var reason: String { "\(origin)" }
}

extension StoreUnavailable: CustomStringConvertible, CustomDebugStringConvertible {
    /// ``reason``
    package var description: String { reason }

    /// The same with cause and place.
    package var debugDescription: String { "\(reason) (\(cause), at \(file):\(line))" }
}

/// Which error the store has answered with: the label of a metric, and what an operator looks for.
package enum StoreErrorCode: String, Sendable, Hashable, CaseIterable {
    /// A key holds a value of another type than ours.
    case wrongType = "WRONGTYPE"
    /// No memory is left for writes.
    case outOfMemory = "OOM"
    /// It does not write since it cannot save.
    case misconfigured = "MISCONF"
    /// Its access rules forbid it.
    case noPermission = "NOPERM"
    /// It has fewer replicas than it must have to take writes.
    case tooFewReplicas = "NOREPLICAS"
    /// Any other, and an answer in an unknown form.
    case other

    /// Whether every call would meet it. What concerns one user's records does not make a worker useless.
    package var concernsEverybody: Bool {
        switch self {
        case .wrongType, .other: false
        case .outOfMemory, .misconfigured, .noPermission, .tooFewReplicas: true
        }
    }
}

/// Tells the time. Production reads the system's clock, corrected by Redis'; tests say what time it is.
package protocol TimeSource: Sendable {
    func now() -> UnixTime

    /// Whether ``now()`` is the time that all workers go by. As long as it is not, nothing is decided by it.
    var isKnown: Bool { get }
}

extension TimeSource {
    package var isKnown: Bool { true }
}
