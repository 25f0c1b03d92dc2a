import Synchronization
package import TollgateCore

/// Who has come to a threshold of a quota, as the answers to admissions tell: to be told soon, and never on the way of a
/// call.
package final class QuotaCrossings: Sendable {
    /// Crossings that wait at a time. What is beyond is found by the next sweep.
    private static let maximumWaiting = 10_000

    private let waiting = Mutex<[Alert.QuotaThreshold]>([])

    /// Has an element soon after something was added.
    package let arrivals: AsyncStream<Void>
    private let arrival: AsyncStream<Void>.Continuation

    package init() {
        (arrivals, arrival) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Calls were charged to a quota.
    ///
    /// - Parameters:
    ///   - usage: Where it stands after them.
    ///   - charged: How many.
    func note(_ usage: UsageSnapshot, charged: Int, to user: UserID, _ thresholds: AlertThresholds) {
        let percents = thresholds.crossed(from: usage.count - charged, to: usage.count, of: usage.limit)
        guard !percents.isEmpty else { return }
        add(
            percents.map {
                Alert.QuotaThreshold(
                    user: user, plan: usage.plan, period: usage.period, percent: $0, used: usage.count,
                    limit: usage.limit)
            })
    }

    private func add(_ crossings: [Alert.QuotaThreshold]) {
        waiting.withLock { $0 += crossings.prefix(max(0, Self.maximumWaiting - $0.count)) }
        arrival.yield()
    }

    /// All since the last time.
    package func take() -> [Alert.QuotaThreshold] {
        waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}
