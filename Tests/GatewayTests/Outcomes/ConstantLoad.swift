import Synchronization
import TestSupport
import Testing

/// Requests without a pause, until it is told to stop; whatever they are answered is written down.
final class ConstantLoad: Sendable {
    private struct State {
        var isStopped = false
        var answers: [Int: Int] = [:]
        var bodies: [String: Int] = [:]
        var errors: [String] = []
    }

    private let state = Mutex(State())

    /// How often each status was answered.
    var answers: [Int: Int] { state.withLock(\.answers) }

    /// How often each body came.
    var bodies: [String: Int] { state.withLock(\.bodies) }

    /// Requests that were not answered.
    var errors: [String] { state.withLock(\.errors) }
    var count: Int { answers.values.reduce(0, +) }

    private var isStopped: Bool { state.withLock(\.isStopped) }

    /// Runs `body` while `width` clients ask for `path`, each as soon as it has its answer.
    static func run(
        on path: String, port: Int, headers: [(String, String)] = [], width: Int = 4,
        _ body: (ConstantLoad) async throws -> Void
    ) async throws {
        let load = ConstantLoad()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<width { group.addTask { await load.ask(path, port: port, headers: headers) } }
            defer { load.state.withLock { $0.isStopped = true } }
            try await eventually("requests flow") { load.count > 20 }
            try await body(load)
        }
    }

    private func ask(_ path: String, port: Int, headers: [(String, String)]) async {
        while !isStopped {
            do {
                let answer = try await HTTP.get(path, port: port, headers: headers)
                state.withLock { state in
                    state.answers[answer.status, default: 0] += 1
                    state.bodies[answer.body, default: 0] += 1
                }
            } catch {
                state.withLock { $0.errors.append("\(error)") }
            }
        }
    }

    /// Waits until so many more requests were answered.
    func goesOn(by requests: Int = 50) async throws {
        let before = count
        try await eventually("requests go on") { self.count > before + requests }
    }
}
