public import CoreMetrics
import Synchronization

/// How many values fell below each of a few fixed bounds, and their sum.
public final class HistogramSeries: MetricSeries, RecorderHandler, TimerHandler {
    static let type = MetricType.histogram

    /// The bounds of timers, in seconds: from a Redis round trip to a request that hangs.
    static let secondsBounds: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    /// The bounds of other recorders: powers of four, for numbers of things and of bytes.
    static let sizeBounds: [Double] = (0...10).map { Double(1 << (2 * $0)) }

    let identity: SeriesIdentity
    private let bounds: [Double]

    /// How many values lie in each interval; the last one is for those above all bounds.
    private let counts: [Count]
    private let sum = Atomic<Double>(0)

    /// A box of its own for each number, since atomics cannot stand in an array.
    private final class Count: Sendable {
        let value = Atomic<UInt64>(0)
    }

    init(_ identity: SeriesIdentity, bounds: [Double]) {
        self.identity = identity
        self.bounds = bounds
        counts = (0...bounds.count).map { _ in Count() }
    }

    public func record(_ value: Int64) { record(Double(value)) }

    public func record(_ value: Double) {
        // One that is not finite would make the sum useless for ever.
        guard value.isFinite else { return }
        let interval = bounds.firstIndex { value <= $0 } ?? bounds.count
        counts[interval].value.wrappingAdd(1, ordering: .relaxed)
        sum.add(value)
    }

    public func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1_000_000_000) }

    /// Values that were recorded.
    public var count: Int { counts.reduce(0) { $0 + Int(clamping: $1.value.load(ordering: .relaxed)) } }

    /// Buckets are cumulative, and the count is the last of them, so that both agree at every scrape.
    var samples: [MetricSample] {
        let total = PrometheusText.number(sum.load(ordering: .relaxed))
        var count: UInt64 = 0
        let buckets = zip(bounds + [.infinity], counts).map { bound, interval in
            count += interval.value.load(ordering: .relaxed)
            return MetricSample(
                name: identity.family + "_bucket",
                labels: identity.labels(adding: "le=\"\(PrometheusText.number(bound))\""), value: String(count))
        }
        return buckets + [
            MetricSample(name: identity.family + "_sum", labels: identity.labels, value: total),
            MetricSample(name: identity.family + "_count", labels: identity.labels, value: String(count)),
        ]
    }
}
