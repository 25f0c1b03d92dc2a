import ServiceLifecycle
import Synchronization

/// Which parts of a worker are running: for the line that says what a shutdown waits for.
final class RunningParts: Sendable {
    private let names = Mutex<[String]>([])

    /// The one that a shutdown waits for, as it ends the parts in the reverse order of their start.
    var last: String? { names.withLock(\.last) }

    func began(_ name: String) { names.withLock { $0.append(name) } }
    func ended(_ name: String) { names.withLock { names in names.removeAll { $0 == name } } }

    /// `service`, counted among the parts from now on, whether or not it runs already.
    func part(_ name: String, _ service: any Service) -> any Service {
        began(name)
        return Part(name: name, service: service, parts: self)
    }

    private struct Part: Service {
        let name: String
        let service: any Service
        let parts: RunningParts

        func run() async throws {
            defer { parts.ended(name) }
            try await service.run()
        }
    }
}
