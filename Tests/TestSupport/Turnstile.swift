import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Lets a few of many parallel tests at a time have servers of their own: on two cores more would only measure each
/// other.
package final class Turnstile: Sendable {
    /// As many as run at a time, where `Tests/run` has said how many those are: then none has to wait here, where a
    /// test's time limit runs already.
    package static let servers = Turnstile(
        width: ProcessInfo.processInfo.environment["SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH"]
            .flatMap { Int($0) } ?? 2)

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
