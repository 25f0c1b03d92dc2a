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

    /// Where the store was asked, or its answer was found to be invalid.
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
        self.init(cause, origin: DescribedFailure(description: reason), mayBeDone: mayBeDone, file: file, line: line)
    }

    private struct DescribedFailure: Error, CustomStringConvertible { let description: String }

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
