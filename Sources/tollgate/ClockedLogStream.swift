import TollgateCore

/// Standard error for log lines, with the time that the gateway goes by: it is the same in the lines of all workers, and
/// in what they write to Redis and to their clients.
struct ClockedLogStream: TextOutputStream, Sendable {
    let time: any TimeSource

    /// - Parameter string: A line of `StreamLogHandler`, which begins with the time of the machine.
    mutating func write(_ string: String) {
        let rest = string.drop { $0 != " " }
        Process.complain("\(time.now().iso8601)\(rest)")
    }
}
