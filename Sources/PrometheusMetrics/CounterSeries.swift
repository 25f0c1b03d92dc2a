public import CoreMetrics
import Synchronization

/// A number that only grows.
///
/// Whole amounts and fractions are added up apart, so that counting stays exact beyond 2^53.
public final class CounterSeries: MetricSeries, CounterHandler, FloatingPointCounterHandler {
    static let type = MetricType.counter

    let identity: SeriesIdentity
    private let whole = Atomic<UInt64>(0)
    private let fractional = Atomic<Double>(0)

    init(_ identity: SeriesIdentity) { self.identity = identity }

    public func increment(by amount: Int64) {
        guard amount > 0 else { return }
        whole.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    public func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        fractional.add(amount)
    }

    public func reset() {
        whole.store(0, ordering: .relaxed)
        fractional.store(0, ordering: .relaxed)
    }

    /// The whole amounts.
    public var count: Int { Int(clamping: whole.load(ordering: .relaxed)) }

    var samples: [MetricSample] {
        let (count, fraction) = (whole.load(ordering: .relaxed), fractional.load(ordering: .relaxed))
        let value = fraction == 0 ? String(count) : PrometheusText.number(Double(count) + fraction)
        return [MetricSample(name: identity.family, labels: identity.labels, value: value)]
    }
}
