import TollgateDataPlane
import TollgateStore

/// A setting or a state of the Redis server that will cost calls or data, and what to do.
struct RedisWarning: Sendable, Hashable {
    /// For programs: never changes its meaning.
    let code: String
    let message: String
}

extension RedisWarning {
    /// - Parameter reportFailure: Why the worker's last report was not taken.
    init(reportFailure: String) {
        self.init(
            code: "report-not-taken",
            message: "What this worker tells of itself was not taken, so others do not see it (\(reportFailure)). If "
                + "that stays so, compare Redis' ACL with deploy/redis/users.acl.")
    }
}

extension RedisWarning {
    /// - Parameter refusal: Why the worker is not ready.
    init(refusal: String) {
        self.init(
            code: "calls-refused",
            message: "This worker is not ready: calls are refused (\(refusal)). tollgate doctor says what to do.")
    }
}

extension RedisWarning {
    /// Nil when the difference does no harm.
    ///
    /// - Parameter milliseconds: How far the clock of the worker's machine is ahead of Redis.
    init?(clockAhead milliseconds: Int64) {
        let finding = Finding.clock(aheadMilliseconds: milliseconds)
        guard finding.isWrong else { return nil }
        self.init(finding)
    }

    /// Nil when nothing was lost lately.
    init?(reservations counts: ReservationTally.Counts) {
        guard counts.isRecent else { return nil }
        self.init(
            code: "reservations-unsettled",
            message: "Since this worker started, Redis could not be told in time how \(counts.unsettled) reserved "
                + "calls have ended, so they were given back, and did not know \(counts.lost) others any more. Redis "
                + "was away, or has lost data; the log names the users.")
    }
}

extension RedisWarning {
    /// Nil when nothing was forgotten lately.
    init?(outage counts: OutageTally.Counts) {
        guard counts.isRecent else { return nil }
        self.init(
            code: "outage-calls-forgotten",
            message: "Since this worker started, \(counts.forgotten) calls that passed while Redis was away could not "
                + "be booked: there were too many of them, or Redis did not take them for days. The log says more.")
    }
}

extension RedisWarning {
    /// What the overview called these before the doctor looked at them as well.
    private static let codes = [
        "role": "replica", "memory": "memory-nearly-full", "append-only-file-writes": "append-only-file-failing",
        "snapshot": "snapshot-failing", "append-only-file": "no-append-only-file", "clock": "clocks-differ",
    ]

    init(_ finding: Finding) {
        self.init(
            code: Self.codes[finding.code] ?? finding.code,
            message: [finding.found, finding.remedy].compactMap(\.self).joined(separator: " "))
    }
}

extension RedisServerInfo {
    /// What is wrong, the worst first.
    var warnings: [RedisWarning] { findings.filter(\.isWrong).map { RedisWarning($0) } }
}
