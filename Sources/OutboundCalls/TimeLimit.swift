/// Cancels `operation` after so long. The HTTP client's own deadline ends with the head of the answer; a body could
/// drip for ever.
///
/// - Throws: ``TimeLimitExceeded``, or what `operation` throws.
package func withTimeLimit<Value: Sendable>(
    _ limit: Duration, _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        defer { group.cancelAll() }
        group.addTask(operation: operation)
        group.addTask {
            try await Task.sleep(for: limit)
            throw TimeLimitExceeded(limit: limit)
        }
        guard let first = try await group.next() else { throw TimeLimitExceeded(limit: limit) }
        return first
    }
}

/// It took too long.
package struct TimeLimitExceeded: Error, CustomStringConvertible {
    /// How long was allowed.
    package let limit: Duration

    package var description: String { "it took longer than \(limit)" }
}
