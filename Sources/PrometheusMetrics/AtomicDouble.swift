public import Synchronization

extension Atomic<Double> {
    /// Adds `amount`. Processors add whole numbers atomically but not floating-point ones: so try until no thread was
    /// faster. Relaxed, since nothing else is published through a metric.
    public func add(_ amount: Double) {
        var old = load(ordering: .relaxed)
        while true {
            let (exchanged, original) = weakCompareExchange(
                expected: old, desired: old + amount, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }
}
