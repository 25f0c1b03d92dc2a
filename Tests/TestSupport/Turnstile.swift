import Synchronization

/// Lets a few of many parallel tests at a time have servers of their own: on two cores more would only measure each
/// other.
package final class Turnstile: Sendable {
    package static let servers = Turnstile(width: 2)

    private struct State {
        var free: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    private init(width: Int) { state = Mutex(State(free: width)) }

    /// Whether the task has had its turn: one that waits within it for another would wait for itself.
    @TaskLocal private static var hasEntered = false

    /// Runs `body` when it is the task's turn.
    package func pass<Result>(
        isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Result
    ) async rethrows -> Result {
        if Self.hasEntered { return try await body() }
        await enter()
        defer { leave() }
        return try await Self.$hasEntered.withValue(true, operation: body)
    }

    private func enter() async {
        await withCheckedContinuation { continuation in
            let mayEnter = state.withLock { state in
                guard state.free > 0 else {
                    state.waiting.append(continuation)
                    return false
                }
                state.free -= 1
                return true
            }
            if mayEnter { continuation.resume() }
        }
    }

    private func leave() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.waiting.isEmpty {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
