public import CoreMetrics
import Synchronization

/// Keeps every metric of the process and writes them in Prometheus' text format.
///
/// The lock guards the list of series, never a series: the holder of a handle counts without waiting. The
/// number of series is bounded, because labels sometimes come from outside and memory does not grow for them.
public final class PrometheusRegistry: DescribingMetricsFactory {
    /// Series that are kept at most. A histogram is one for each of its lines, as Prometheus counts.
    public static let defaultMaximumSeries = 10_000

    private let maximumSeries: Int
    private let state = Mutex(State())

    /// How often a series was asked for that could not be had.
    private let dropped: CounterSeries

    /// What callers get in place of a series that cannot be had: they count, and are never written.
    private let unseenCounter: CounterSeries
    private let unseenGauge: GaugeSeries
    private let unseenHistogram: HistogramSeries

    private struct State {
        var series: [SeriesIdentity: any MetricSeries] = [:]
        var families: [String: Family] = [:]
        var sampleCount = 0

        /// By the name without the suffix of its type.
        var helpTexts: [String: String] = [:]
    }

    /// All series of one name.
    private struct Family {
        let type: MetricType

        /// The names of its lines, which no other family may have: a histogram `a` and a counter `a_count` could not be
        /// told apart.
        let names: Set<String>

        var seriesCount = 0
    }

    /// What is written by the registry itself.
    private let reservedNames: Set<String>

    /// - Parameters:
    ///   - namespace: What the name of the registry's own counter begins with: with `shop` it is
    ///     `shop_metrics_series_dropped_total`, without one `metrics_series_dropped_total`.
    ///   - maximumSeries: New series beyond it are dropped and counted.
    public init(namespace: String? = nil, maximumSeries: Int = defaultMaximumSeries) {
        self.maximumSeries = maximumSeries
        let droppedName = (namespace.map { $0 + "_" } ?? "") + "metrics_series_dropped_total"
        dropped = CounterSeries(SeriesIdentity(label: droppedName, dimensions: []))
        reservedNames = ProcessMetrics.names.union([droppedName])
        let unseen = SeriesIdentity(label: "unseen", dimensions: [])
        unseenCounter = CounterSeries(unseen)
        unseenGauge = GaugeSeries(unseen)
        unseenHistogram = HistogramSeries(unseen, bounds: [])
        describe(droppedName, as: "Requests for a series beyond the limit, or at odds with another one.")
    }

    public func describe(_ label: String, as help: String) {
        let name = Self.withoutSuffix(PrometheusText.name(label))
        state.withLock { if $0.helpTexts[name] == nil { $0.helpTexts[name] = help } }
    }

    private static func withoutSuffix(_ name: String) -> String {
        for suffix in ["_total", "_seconds"] where name.hasSuffix(suffix) { return String(name.dropLast(suffix.count)) }
        return name
    }

    /// Everything in text format 0.0.4, sorted, so that two scrapes can be compared line by line.
    public func render() -> String {
        let (known, helpTexts) = state.withLock { (Array($0.series.values), $0.helpTexts) }
        let series = known + [dropped]
        let families = Dictionary(grouping: series, by: \.identity.family).map { name, members in
            MetricFamily(
                name: name, type: members.first.map { type(of: $0).type } ?? .gauge,
                help: helpTexts[Self.withoutSuffix(name)],
                samples: members.sorted { $0.identity.labels < $1.identity.labels }.flatMap(\.samples))
        }
        return (families + ProcessMetrics.families()).sorted { $0.name < $1.name }.map(\.text).joined()
    }

    /// The series of that identity: the one there is, or a new one. Nil when it cannot be had.
    private func series<Series: MetricSeries>(
        _ identity: SeriesIdentity, make: (SeriesIdentity) -> Series
    ) -> Series? {
        let series = state.withLock { state -> Series? in
            if let known = state.series[identity] { return known as? Series }
            let new = make(identity)
            let samples = new.samples
            guard state.sampleCount + samples.count <= maximumSeries,
                var family = family(of: new, in: state, names: Set(samples.map(\.name)))
            else { return nil }
            family.seriesCount += 1
            state.families[identity.family] = family
            state.sampleCount += samples.count
            state.series[identity] = new
            return new
        }
        if series == nil { dropped.increment(by: Int64(1)) }
        return series
    }

    /// The family that `series` belongs to, perhaps a new one. Nil when the name is taken for something else.
    private func family<Series: MetricSeries>(
        of series: Series, in state: State, names: Set<String>
    ) -> Family? {
        if let family = state.families[series.identity.family] {
            return family.type == Series.type ? family : nil
        }
        let family = Family(type: Series.type, names: names.union([series.identity.family]))
        let isFree =
            reservedNames.isDisjoint(with: family.names)
            && state.families.values.allSatisfy { $0.names.isDisjoint(with: family.names) }
        return isFree ? family : nil
    }

    /// Forgets a series; one made anew starts at zero.
    private func remove(_ handler: AnyObject) {
        guard let series = handler as? any MetricSeries else { return }
        state.withLock { state in
            // A handle kept from before a removal must not remove its successor.
            guard let known = state.series[series.identity], known === series else { return }
            state.series[series.identity] = nil
            state.sampleCount -= series.samples.count
            guard var family = state.families[series.identity.family] else { return }
            family.seriesCount -= 1
            state.families[series.identity.family] = family.seriesCount > 0 ? family : nil
        }
    }
}

// MARK: - MetricsFactory

extension PrometheusRegistry {
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        counter(label, dimensions)
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        counter(label, dimensions)
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label, dimensions)
    }

    /// A gauge, or a histogram when the values are to be aggregated.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        if !aggregate { return gauge(label, dimensions) }
        let identity = SeriesIdentity(label: label, dimensions: dimensions)
        return series(identity) { HistogramSeries($0, bounds: HistogramSeries.sizeBounds) } ?? unseenHistogram
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let identity = SeriesIdentity(label: label, suffix: "_seconds", dimensions: dimensions)
        return series(identity) { HistogramSeries($0, bounds: HistogramSeries.secondsBounds) } ?? unseenHistogram
    }

    public func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

    private func counter(_ label: String, _ dimensions: [(String, String)]) -> CounterSeries {
        let identity = SeriesIdentity(label: label, suffix: "_total", dimensions: dimensions)
        return series(identity, make: CounterSeries.init) ?? unseenCounter
    }

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> GaugeSeries {
        let identity = SeriesIdentity(label: label, dimensions: dimensions)
        return series(identity, make: GaugeSeries.init) ?? unseenGauge
    }
}
