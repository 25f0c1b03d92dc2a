import CoreMetrics
import PrometheusMetrics
import TollgateCore

/// What is counted of alerts. They are few, so handles are found when they are needed; each is there from the start, since
/// no rule can be made of one that is not.
struct AlertMetrics: Sendable {
    private let factory: any MetricsFactory

    /// What has become of a message. The raw value is the label.
    enum Result: String, Sendable, CaseIterable {
        /// The receiver has taken it.
        case sent
        /// A try has failed; another one follows.
        case failed
        /// It was given up.
        case dead
    }

    init(factory: any MetricsFactory) {
        self.factory = factory
        for channel in Alert.Channel.allCases {
            for kind in Alert.Kind.allCases {
                for result in Result.allCases { _ = alerts(kind, channel, result) }
            }
            outbox(channel, length: 0)
        }
    }

    func count(_ kind: Alert.Kind, _ channel: Alert.Channel, _ result: Result) {
        alerts(kind, channel, result).increment()
    }

    /// - Parameter length: How many wait, of whatever worker.
    func outbox(_ channel: Alert.Channel, length: Int) {
        factory.gauge(
            "tollgate_alert_outbox_length", [("channel", channel.rawValue)],
            help: "Alerts that are yet to be sent, of all workers."
        ).set(length)
    }

    private func alerts(_ kind: Alert.Kind, _ channel: Alert.Channel, _ result: Result) -> Counter {
        factory.counter(
            "tollgate_alerts",
            [("type", kind.rawValue), ("channel", channel.rawValue), ("result", result.rawValue)],
            help: "Tries of this worker to send alerts.")
    }
}
