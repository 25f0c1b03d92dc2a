/// What Prometheus calls the type of a metric.
enum MetricType: String, Sendable {
    case counter
    case gauge
    case histogram
}

/// One metric with one set of labels: what a caller holds on to and writes to.
///
/// Writing takes no lock: a series is a few atomics. Reading happens at a scrape, beside the writers, so a sample may
/// be a few events behind its neighbour; each on its own is exact.
protocol MetricSeries: AnyObject, Sendable {
    static var type: MetricType { get }

    var identity: SeriesIdentity { get }

    /// The lines of the text format.
    var samples: [MetricSample] { get }
}

/// One line of the text format.
struct MetricSample: Sendable {
    let name: String
    let labels: String
    let value: String

    var line: String { labels.isEmpty ? "\(name) \(value)" : "\(name){\(labels)} \(value)" }
}

/// All lines of one name, as they stand together in the text format.
struct MetricFamily: Sendable {
    let name: String
    let type: MetricType
    let help: String?
    let samples: [MetricSample]

    var text: String {
        let helpLine = help.map { "# HELP \(name) \(PrometheusText.escapedHelp($0))\n" } ?? ""
        return helpLine + "# TYPE \(name) \(type.rawValue)\n" + samples.map { $0.line + "\n" }.joined()
    }
}

/// The name and labels of a series, as they are written. Two handles with the same ones are the same series.
struct SeriesIdentity: Sendable, Hashable {
    /// The name of the family, with the suffix that its type asks for.
    let family: String

    /// Sorted and escaped, without braces: `method="GET",status="200"`.
    let labels: String

    /// - Parameters:
    ///   - label: The name in swift-metrics; characters that Prometheus does not take become `_`.
    ///   - suffix: Appended unless the name has it.
    init(label: String, suffix: String = "", dimensions: [(String, String)]) {
        let name = PrometheusText.name(label)
        family = name.hasSuffix(suffix) ? name : name + suffix
        labels = PrometheusText.labels(dimensions)
    }

    /// The labels and one more.
    func labels(adding label: String) -> String { labels.isEmpty ? label : labels + "," + label }
}
