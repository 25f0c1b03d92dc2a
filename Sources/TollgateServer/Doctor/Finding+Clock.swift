import TollgateStore

extension Finding {
    /// Judges the clock of the machine against that of Redis, for the overview and for the doctor.
    ///
    /// - Parameter milliseconds: How far it is ahead.
    static func clock(aheadMilliseconds milliseconds: Int64) -> Finding {
        guard abs(milliseconds) > RedisClock.toleratedDifferenceMilliseconds else {
            return .ok(.clock, "clock", "this machine and Redis differ by \(abs(milliseconds)) ms")
        }
        let seconds = "\(Double(abs(milliseconds) / 100) / 10) s \(milliseconds > 0 ? "ahead of" : "behind")"
        return .warn(
            .clock, "clock",
            "The clock of this machine is \(seconds) that of Redis. Redis' time counts, so nothing is counted wrong.",
            remedy: "Let NTP set both.")
    }
}
