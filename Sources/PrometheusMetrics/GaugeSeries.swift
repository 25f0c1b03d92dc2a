import CoreMetrics
import Synchronization

/// A number that goes up and down: the last value that was set.
final class GaugeSeries: MetricSeries, RecorderHandler, MeterHandler {
    static let type = MetricType.gauge

    let identity: SeriesIdentity
    private let value = Atomic<Double>(0)

    init(_ identity: SeriesIdentity) { self.identity = identity }

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { self.value.store(value, ordering: .relaxed) }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }

    func increment(by amount: Double) {
        // One that is not a number would make the gauge useless for ever.
        guard amount.isFinite else { return }
        value.add(amount)
    }

    func decrement(by amount: Double) { increment(by: -amount) }

    var samples: [MetricSample] {
        let text = PrometheusText.number(value.load(ordering: .relaxed))
        return [MetricSample(name: identity.family, labels: identity.labels, value: text)]
    }
}
