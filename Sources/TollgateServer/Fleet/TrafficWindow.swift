import TollgateStore

/// Turns counts that only grow into the traffic of the last minute.
struct TrafficWindow: Sendable {
    static let length: Duration = .seconds(60)

    /// A shorter time says nothing of a rate.
    private static let shortestInterval: Duration = .seconds(1)

    private struct Reading: Sendable {
        let counts: TrafficCounts
        let moment: ContinuousClock.Instant
    }

    /// The oldest first; of those that are older than the window only the youngest.
    private var readings: [Reading]

    init(startingWith counts: TrafficCounts, at moment: ContinuousClock.Instant) {
        readings = [Reading(counts: counts, moment: moment)]
    }

    /// Takes the counts of a moment, and says what they mean.
    mutating func add(_ counts: TrafficCounts, at moment: ContinuousClock.Instant) -> WorkerTraffic {
        while readings.count > 1, moment - readings[1].moment >= Self.length { readings.removeFirst() }
        let oldest = readings[0].counts
        let rate = requestsPerSecond(counts, at: moment)
        readings.append(Reading(counts: counts, moment: moment))
        return WorkerTraffic(
            requestsPerSecond: rate, admitted: counts.admitted - oldest.admitted,
            refused: counts.refused.merging(oldest.refused) { now, before in now - before })
    }

    private func requestsPerSecond(_ counts: TrafficCounts, at moment: ContinuousClock.Instant) -> Double {
        let before = readings.last { moment - $0.moment >= Self.shortestInterval }
        guard let before else { return 0 }
        return Double(counts.requests - before.counts.requests) / ((moment - before.moment) / .seconds(1))
    }
}
