import Synchronization

/// Whether this worker is on its way out. Set once, read everywhere.
package final class DrainState: Sendable {
    private let flag = Atomic<Bool>(false)

    package init() {}

    /// True from SIGTERM on: not ready for new traffic, still serving what comes.
    package var isDraining: Bool { flag.load(ordering: .relaxed) }

    package func begin() { flag.store(true, ordering: .relaxed) }
}
