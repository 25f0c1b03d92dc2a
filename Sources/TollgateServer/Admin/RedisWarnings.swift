import TollgateStore

/// Something about the Redis server that will hurt sooner or later, and what to do.
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
                + "that stays so, compare Redis' ACL with the one in the README.")
    }
}

extension RedisWarning {
    /// Nil when the difference does no harm.
    ///
    /// - Parameter milliseconds: How far the clock of the worker's machine is ahead of Redis.
    init?(clockAhead milliseconds: Int64) {
        guard abs(milliseconds) > RedisClock.toleratedDifferenceMilliseconds else { return nil }
        let seconds = "\(Double(abs(milliseconds) / 100) / 10) s \(milliseconds > 0 ? "ahead of" : "behind")"
        self.init(
            code: "clocks-differ",
            message: "The clock of this worker's machine is \(seconds) that of Redis. Redis' time counts, so nothing "
                + "is counted wrong; let NTP set both.")
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

extension RedisServerInfo {
    /// What is wrong, the worst first.
    var warnings: [RedisWarning] {
        [
            replicaWarning, evictedWarning, policyWarning, fullWarning, appendOnlyWarning, snapshotWarning,
            persistenceWarning,
        ].compactMap(\.self)
    }

    private var replicaWarning: RedisWarning? {
        guard self["role"] == "slave" else { return nil }
        return RedisWarning(
            code: "replica",
            message: "This server is a replica and takes no writes: every call is refused. Have REDIS_URL lead to the "
                + "primary.")
    }

    private var evictedWarning: RedisWarning? {
        guard let count = integer("evicted_keys"), count > 0 else { return nil }
        return RedisWarning(
            code: "keys-evicted",
            message: "Redis has thrown away \(count) \(count == 1 ? "key" : "keys") for want of memory: counts, plans "
                + "or API keys may be gone. Set maxmemory-policy to noeviction, and raise maxmemory.")
    }

    private var policyWarning: RedisWarning? {
        guard let policy = self["maxmemory_policy"], policy != "noeviction" else { return nil }
        return RedisWarning(
            code: "eviction-policy",
            message: "With maxmemory-policy \(policy) Redis may throw away counts, plans and API keys when memory runs "
                + "short. Run CONFIG SET maxmemory-policy noeviction, and write it into redis.conf.")
    }

    private var fullWarning: RedisWarning? {
        guard let used = integer("used_memory"), let limit = integer("maxmemory"), limit > 0, used > limit / 10 * 9
        else { return nil }
        return RedisWarning(
            code: "memory-nearly-full",
            message: "Redis uses more than 90 % of its maxmemory; once that is full, calls are refused with 503. Raise "
                + "maxmemory.")
    }

    private var appendOnlyWarning: RedisWarning? {
        guard self["aof_enabled"] == "1" else { return nil }
        let states = ["aof_last_write_status", "aof_last_bgrewrite_status"].compactMap { self[$0] }
        guard states.contains(where: { $0 != "ok" }) else { return nil }
        return RedisWarning(
            code: "append-only-file-failing",
            message: "Redis cannot write its append-only file. Look into Redis' log; most often the disk is full.")
    }

    private var snapshotWarning: RedisWarning? {
        guard let state = self["rdb_last_bgsave_status"], state != "ok" else { return nil }
        return RedisWarning(
            code: "snapshot-failing",
            message: "Redis could not save its last snapshot, and may refuse writes until it can. Look into Redis' "
                + "log; most often the disk is full.")
    }

    private var persistenceWarning: RedisWarning? {
        guard self["aof_enabled"] == "0" else { return nil }
        return RedisWarning(
            code: "no-append-only-file",
            message: "Without an append-only file, counts and keys since the last snapshot are lost when Redis stops. "
                + "Run CONFIG SET appendonly yes, and write it into redis.conf.")
    }
}
