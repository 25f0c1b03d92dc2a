import CoreMetrics
import PrometheusMetrics
import Testing

@Suite struct PrometheusRenderingTests {
    /// The output without the process' own metrics, which no test can foresee.
    private static func lines(_ registry: PrometheusRegistry) -> [String] {
        registry.render().split(separator: "\n").map(String.init).filter { line in
            !["process_", "metrics_series_dropped_total"].contains { line.contains($0) }
        }
    }

    @Test func familiesAndSeriesAreSorted() {
        let registry = PrometheusRegistry()
        registry.counter("b", [("status", "500"), ("method", "GET")], help: "Second.\nTwo \\ lines.").increment(by: 2)
        Counter(label: "b", dimensions: [("method", "GET"), ("status", "200")], factory: registry).increment()
        Gauge(label: "a", factory: registry).record(1.5)
        #expect(
            Self.lines(registry) == [
                "# TYPE a gauge",
                "a 1.5",
                #"# HELP b_total Second.\nTwo \\ lines."#,
                "# TYPE b_total counter",
                #"b_total{method="GET",status="200"} 1"#,
                #"b_total{method="GET",status="500"} 2"#,
            ])
        #expect(registry.render().hasSuffix("\n"))
    }

    @Test func timerIsAHistogramOfSeconds() {
        let registry = PrometheusRegistry()
        let timer = Timer(label: "wait", dimensions: [("to", "redis")], factory: registry)
        timer.recordMicroseconds(500)
        timer.recordMilliseconds(2)
        timer.recordSeconds(3)
        timer.recordSeconds(60)
        let counts = [
            ("0.0005", 1), ("0.001", 1), ("0.0025", 2), ("0.005", 2), ("0.01", 2), ("0.025", 2), ("0.05", 2),
            ("0.1", 2), ("0.25", 2), ("0.5", 2), ("1", 2), ("2.5", 2), ("5", 3), ("10", 3), ("+Inf", 4),
        ]
        #expect(
            Self.lines(registry) == ["# TYPE wait_seconds histogram"]
                + counts.map { #"wait_seconds_bucket{to="redis",le="\#($0)"} \#($1)"# }
                + [#"wait_seconds_sum{to="redis"} 63.0025"#, #"wait_seconds_count{to="redis"} 4"#])
    }

    @Test func recorderIsAHistogramOfSizes() {
        let registry = PrometheusRegistry()
        let recorder = Recorder(label: "batch", factory: registry)
        recorder.record(1)
        recorder.record(5)
        recorder.record(2_000_000)
        recorder.record(Double.nan)
        let lines = Self.lines(registry)
        #expect(lines.contains(#"batch_bucket{le="1"} 1"#))
        #expect(lines.contains(#"batch_bucket{le="4"} 1"#))
        #expect(lines.contains(#"batch_bucket{le="16"} 2"#))
        #expect(lines.contains(#"batch_bucket{le="1048576"} 2"#))
        #expect(lines.contains(#"batch_bucket{le="+Inf"} 3"#))
        #expect(lines.contains("batch_sum 2000006"))
        #expect(lines.contains("batch_count 3"))
    }

    @Test func suffixIsNotDoubled() {
        let registry = PrometheusRegistry()
        Counter(label: "calls_total", factory: registry).increment()
        Timer(label: "wait_seconds", factory: registry).recordSeconds(1)
        let lines = Self.lines(registry)
        #expect(lines.contains("calls_total 1"))
        #expect(lines.contains("wait_seconds_count 1"))
    }

    /// A name or label as it is given, and as it is written.
    @Test(arguments: [
        ("http.requests-now", "http_requests_now"), ("9lives", "_9lives"), ("a:b", "a:b"), ("größe", "gr__e"),
        ("", "_"), ("٣", "_"),
    ])
    func namesAreMadeValid(given: String, written: String) {
        let registry = PrometheusRegistry()
        Gauge(label: given, factory: registry).record(1)
        #expect(Self.lines(registry) == ["# TYPE \(written) gauge", "\(written) 1"])
    }

    @Test func labelsAreMadeValid() {
        let registry = PrometheusRegistry()
        let dimensions = [("a:b", "1"), ("le", "2"), ("a_b", "3"), ("0", "4")]
        Gauge(label: "g", dimensions: dimensions, factory: registry).record(1)
        #expect(Self.lines(registry).last == #"g{_0="4",a_b="1",le_="2"} 1"#)
    }

    @Test func labelValuesAreEscaped() {
        let registry = PrometheusRegistry()
        Gauge(label: "g", dimensions: [("path", "a\\b\"c\nd\r\ne}ü")], factory: registry).record(1)
        #expect(registry.render().contains("g{path=\"a\\\\b\\\"c\\nd\r\\ne}ü\"} 1\n"))
    }

    @Test(arguments: [
        (Double.nan, "NaN"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (0, "0"), (1e300, "1e+300"), (-3, "-3"),
        (0.25, "0.25"), (9_007_199_254_740_992, "9007199254740992"),
    ])
    func numbers(value: Double, text: String) {
        let registry = PrometheusRegistry()
        Gauge(label: "g", factory: registry).record(value)
        #expect(Self.lines(registry).last == "g \(text)")
    }

    @Test func processIsMeasured() throws {
        let metrics = try #require(ProcessMetrics.current())
        #expect(metrics.residentBytes > 1_000_000)
        #expect(metrics.cpuSeconds >= 0)
        #expect(metrics.openDescriptors >= 3)
        #expect(metrics.startTimeSeconds > 1_700_000_000)
        let text = PrometheusRegistry().render()
        for name in [
            "process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes",
            "process_start_time_seconds",
        ] {
            #expect(text.contains("\n\(name) "))
        }
    }

    @Test func kernelsNumbersAreConverted() throws {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 9 0 0 0 150 50 0 0 20 0 3 0 3000 1000000 25 18446744073709551615 1"
        let metrics = try #require(
            ProcessMetrics(
                stat: stat, systemStat: "cpu 1 2\nbtime 1700000000\nprocesses 3\n", openDescriptors: 4,
                ticksPerSecond: 100, pageBytes: 4096))
        #expect(metrics.residentBytes == 102_400)
        #expect(metrics.cpuSeconds == 2)
        #expect(metrics.startTimeSeconds == 1_700_000_030)
        #expect(metrics.openDescriptors == 4)
        #expect(
            ProcessMetrics(stat: "7 (a", systemStat: "", openDescriptors: 0, ticksPerSecond: 1, pageBytes: 1) == nil)
    }
}
