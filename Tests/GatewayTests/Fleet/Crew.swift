import Synchronization
import TestSupport
import TollgateDev

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The workers of a fleet, to be ended and started again on the ports that they had.
final class Crew: Sendable {
    private let environment: [String: String]
    private let workers: Mutex<[Worker]>

    private init(_ workers: [Worker], environment: [String: String]) {
        self.environment = environment
        self.workers = Mutex(workers)
    }

    /// Runs `body` with a crew of `workers`, and ends those that were started anew.
    static func run(
        _ workers: [Worker], environment: [String: String], isolation: isolated (any Actor)? = #isolation,
        _ body: (Crew) async throws -> Void
    ) async throws {
        let crew = Crew(workers, environment: environment)
        do {
            try await body(crew)
        } catch {
            await crew.end()
            throw error
        }
        await crew.end()
    }

    var ports: [Int] { workers.withLock { $0.map(\.port) } }

    private func worker(_ index: Int) -> Worker { workers.withLock { $0[index] } }

    /// As a crash would: nothing is finished.
    func kill(_ index: Int) async {
        worker(index).process.signal(SIGKILL)
        _ = await worker(index).process.wait()
    }

    /// As an operator would: what is in progress is finished.
    func end(_ index: Int) async {
        worker(index).process.signal(SIGTERM)
        _ = await worker(index).process.wait()
    }

    func restart(_ index: Int) async throws {
        let old = worker(index)
        let new = try await Worker.start(
            environment: environment.merging(
                [
                    "TOLLGATE_HOST": old.host, "TOLLGATE_ADMIN_HOST": old.host, "TOLLGATE_PORT": "\(old.port)",
                    "TOLLGATE_ADMIN_PORT": "\(old.adminPort)",
                ]) { $1 })
        workers.withLock { $0[index] = new }
    }

    private func end() async {
        for worker in workers.withLock(\.self) { await worker.process.terminate() }
    }
}
