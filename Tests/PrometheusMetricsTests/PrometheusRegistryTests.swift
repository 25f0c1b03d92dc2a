import CoreMetrics
import PrometheusMetrics
import Testing

@Suite struct PrometheusRegistryTests {
    private static func value(_ series: String, in registry: PrometheusRegistry) -> String? {
        registry.render().split(separator: "\n").first { $0.hasPrefix(series + " ") }.map {
            String($0.dropFirst(series.count + 1))
        }
    }

    private static func dropped(by registry: PrometheusRegistry) -> String? {
        value("metrics_series_dropped_total", in: registry)
    }

    @Test func oneIdentityIsOneHandle() {
        let registry = PrometheusRegistry()
        let first = registry.makeCounter(label: "a", dimensions: [("x", "1"), ("y", "2")])
        let second = registry.makeCounter(label: "a", dimensions: [("y", "2"), ("x", "1")])
        let other = registry.makeCounter(label: "a", dimensions: [("x", "1"), ("y", "3")])
        #expect(first === second)
        #expect(first !== other)
        #expect(registry.makeTimer(label: "t", dimensions: []) === registry.makeTimer(label: "t", dimensions: []))
        #expect(registry.makeMeter(label: "m", dimensions: []) === registry.makeMeter(label: "m", dimensions: []))
    }

    @Test func countersOnlyGrow() {
        let registry = PrometheusRegistry()
        let counter = Counter(label: "whole", factory: registry)
        counter.increment(by: 9_007_199_254_740_992)
        counter.increment(by: 1)
        counter.increment(by: -5)
        #expect(Self.value("whole_total", in: registry) == "9007199254740993")
        counter.reset()
        #expect(Self.value("whole_total", in: registry) == "0")

        let fraction = FloatingPointCounter(label: "fraction", factory: registry)
        for amount in [0.25, 0.5, -1, .nan, .infinity] { fraction.increment(by: amount) }
        #expect(Self.value("fraction_total", in: registry) == "0.75")
    }

    @Test func metersGoUpAndDown() {
        let registry = PrometheusRegistry()
        let meter = Meter(label: "connections", factory: registry)
        meter.set(3)
        meter.increment(by: 2.5)
        meter.decrement()
        meter.increment(by: Double.nan)
        #expect(Self.value("connections", in: registry) == "4.5")
    }

    /// Not one is lost, neither of whole numbers nor of fractions, while others make handles and scrape.
    @Test func concurrentWritesAllCount() async {
        let registry = PrometheusRegistry()
        let (tasks, rounds) = (8, 5000)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<tasks {
                group.addTask {
                    let counter = Counter(label: "whole", factory: registry)
                    let fraction = FloatingPointCounter(label: "fraction", factory: registry)
                    let meter = Meter(label: "meter", factory: registry)
                    let recorder = Recorder(label: "recorder", factory: registry)
                    for round in 0..<rounds {
                        counter.increment()
                        fraction.increment(by: 0.25)
                        meter.increment()
                        recorder.record(round % 2 == 0 ? 1 : 64)
                    }
                    Counter(label: "own", dimensions: [("task", "\(task)")], factory: registry).increment()
                }
            }
            group.addTask {
                for _ in 0..<20 { _ = registry.render() }
            }
        }
        let total = tasks * rounds
        #expect(Self.value("whole_total", in: registry) == "\(total)")
        #expect(Self.value("fraction_total", in: registry) == "\(total / 4)")
        #expect(Self.value("meter", in: registry) == "\(total)")
        #expect(Self.value("recorder_count", in: registry) == "\(total)")
        #expect(Self.value("recorder_sum", in: registry) == "\(total / 2 + total / 2 * 64)")
        #expect(Self.value(#"recorder_bucket{le="1"}"#, in: registry) == "\(total / 2)")
        for task in 0..<tasks {
            #expect(Self.value(#"own_total{task="\#(task)"}"#, in: registry) == "1")
        }
    }

    @Test func seriesBeyondTheLimitAreDroppedAndCounted() {
        let registry = PrometheusRegistry(maximumSeries: 3)
        for index in 0..<5 {
            Counter(label: "user", dimensions: [("id", "\(index)")], factory: registry).increment()
        }
        #expect(Self.dropped(by: registry) == "2")
        #expect(Self.value(#"user_total{id="2"}"#, in: registry) == "1")
        #expect(Self.value(#"user_total{id="3"}"#, in: registry) == nil)

        // What is there goes on counting; what is not there may be used without harm.
        Counter(label: "user", dimensions: [("id", "2")], factory: registry).increment()
        Meter(label: "late", factory: registry).set(1)
        Timer(label: "late", factory: registry).recordSeconds(1)
        #expect(Self.value(#"user_total{id="2"}"#, in: registry) == "2")
        #expect(Self.dropped(by: registry) == "4")
        #expect(!registry.render().contains("late"))
    }

    /// A histogram is as many series as it has lines: 15 buckets, sum and count.
    @Test func histogramCountsForEachOfItsLines() {
        let exact = PrometheusRegistry(maximumSeries: 17)
        Timer(label: "t", factory: exact).recordSeconds(1)
        #expect(Self.dropped(by: exact) == "0")
        let tooSmall = PrometheusRegistry(maximumSeries: 16)
        Timer(label: "t", factory: tooSmall).recordSeconds(1)
        #expect(Self.dropped(by: tooSmall) == "1")
    }

    @Test func destroyedSeriesMakeRoom() {
        let registry = PrometheusRegistry(maximumSeries: 1)
        let first = Counter(label: "a", factory: registry)
        first.increment()
        first.destroy()
        #expect(Self.value("a_total", in: registry) == nil)
        let second = Counter(label: "a", factory: registry)
        second.increment(by: 5)
        // The handle from before is no longer the series.
        first.destroy()
        #expect(Self.value("a_total", in: registry) == "5")
        second.destroy()
        Meter(label: "a_total", factory: registry).set(2)
        #expect(Self.value("a_total", in: registry) == "2")
        #expect(Self.dropped(by: registry) == "0")
    }

    /// A scrape with one name for two things is refused as a whole.
    @Test func nameIsTakenByWhoeverCameFirst() {
        let registry = PrometheusRegistry()
        Counter(label: "calls", factory: registry).increment()
        Meter(label: "calls_total", factory: registry).set(7)
        #expect(Self.value("calls_total", in: registry) == "1")
        Recorder(label: "size", factory: registry).record(1)
        Meter(label: "size_count", factory: registry).set(7)
        #expect(Self.value("size_count", in: registry) == "1")
        Counter(label: "process_cpu_seconds", factory: registry).increment()
        Counter(label: "metrics_series_dropped", factory: registry).increment()
        #expect(Self.dropped(by: registry) == "4")
        let names = registry.render().split(separator: "\n").filter { $0.hasPrefix("# TYPE") }
        #expect(Set(names).count == names.count)
    }
}
