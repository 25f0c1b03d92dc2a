public import CoreMetrics

/// A backend that takes a sentence on each metric.
public protocol DescribingMetricsFactory: MetricsFactory {
    /// What is said of the metric `label`. The first sentence stays.
    func describe(_ label: String, as help: String)
}

/// Handles that are made together with the sentence that is said of them. A backend without such sentences drops it.
extension MetricsFactory {
    /// A number that only grows.
    ///
    /// - Parameter help: What it counts.
    public func counter(_ label: String, _ dimensions: [(String, String)] = [], help: String) -> Counter {
        describe(label, help)
        return Counter(label: label, dimensions: dimensions, factory: self)
    }

    /// A number that goes up and down.
    public func gauge(_ label: String, _ dimensions: [(String, String)] = [], help: String) -> Meter {
        describe(label, help)
        return Meter(label: label, dimensions: dimensions, factory: self)
    }

    /// Durations, by how long they are.
    public func timer(_ label: String, _ dimensions: [(String, String)] = [], help: String) -> CoreMetrics.Timer {
        describe(label, help)
        return CoreMetrics.Timer(label: label, dimensions: dimensions, factory: self)
    }

    private func describe(_ label: String, _ help: String) {
        (self as? any DescribingMetricsFactory)?.describe(label, as: help)
    }
}
