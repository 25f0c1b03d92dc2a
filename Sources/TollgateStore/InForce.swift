import Synchronization

/// A value of the configuration, which another may take the place of while the worker runs.
package final class InForce<Value: Sendable>: Sendable {
    private let value: Mutex<Value>
    private let replacements = Atomic<Int>(0)

    package init(_ value: Value) { self.value = Mutex(value) }

    package var current: Value { value.withLock(\.self) }

    /// How often it was replaced. Who remembers what was made of the value sees by it, without a lock, when that is old.
    package var generation: Int { replacements.load(ordering: .acquiring) }

    package func replace(with value: Value) {
        self.value.withLock { $0 = value }
        replacements.wrappingAdd(1, ordering: .releasing)
    }
}
