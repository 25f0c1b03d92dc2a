import TollgateStore

/// Judges the replicas of a primary: how far they are behind, and whether writes wait for them.
struct ReplicationJudge: Sendable {
    /// A replica says once a second how far it is.
    private static let toleratedLagSeconds = 10

    /// What a replica may be behind, in bytes.
    private static let toleratedGap = 16 << 20

    let info: RedisServerInfo

    /// Of `CONFIG GET`, as far as it is told.
    let settings: [String: String]

    var findings: [Finding] {
        guard info["role"] == "master", let count = info.integer("connected_slaves") else { return [] }
        return [replicas(count), minimum(count)].compactMap(\.self)
    }

    /// Judges a replica by what it says of itself.
    static func link(_ info: RedisServerInfo) -> Finding {
        guard info["role"] == "slave" else {
            return .warn(
                .replication, "replica-link", "It is to be a replica and is none.",
                remedy:
                    "Wait until a failover is over; if it stays so, have it follow the primary: REPLICAOF, or CLUSTER "
                    + "REPLICATE.")
        }
        guard info["master_link_status"] == "up" else {
            let since = info.integer("master_link_down_since_seconds").map { " for \($0) s" } ?? ""
            return .warn(
                .replication, "replica-link",
                "It has not heard of its primary\(since): a failover to it would lose counts.",
                remedy: "See its log, the network between the two, and masteruser and masterauth.")
        }
        return .ok(.replication, "replica-link", "it follows its primary")
    }

    private func replicas(_ count: Int) -> Finding {
        guard count > 0 else {
            return .ok(.replication, "replicas", "none: what this machine loses is lost")
        }
        let troubles = (0..<min(count, 32)).compactMap { info["slave\($0)"] }.compactMap(trouble)
        guard troubles.isEmpty else {
            return .warn(
                .replication, "replicas", "\(troubles.joined(separator: "; ")).",
                remedy:
                    "Look into the replica's log and at the network between the two; a failover to it now would lose "
                    + "counts.")
        }
        return .ok(.replication, "replicas", "\(count) in step")
    }

    /// - Parameter line: `ip=…,port=…,state=online,offset=…,lag=0`
    private func trouble(of line: String) -> String? {
        var fields: [Substring: Substring] = [:]
        for field in line.split(separator: ",") {
            let pair = field.split(separator: "=", maxSplits: 1)
            if pair.count == 2 { fields[pair[0]] = pair[1] }
        }
        let name = "the replica \(fields["ip"] ?? "?"):\(fields["port"] ?? "?")"
        guard fields["state"] == "online" else { return "\(name) is in the state \(fields["state"] ?? "?")" }
        if let lag = fields["lag"].flatMap({ Int($0) }), lag > Self.toleratedLagSeconds {
            return "\(name) was heard of \(lag) s ago"
        }
        if let offset = fields["offset"].flatMap({ Int($0) }), let own = info.integer("master_repl_offset"),
            own > offset, own - offset > Self.toleratedGap
        {
            return "\(name) is \(RedisServerInfo.size(own - offset)) behind"
        }
        return nil
    }

    private func minimum(_ count: Int) -> Finding? {
        // Told where it is set.
        let good = info.integer("min_slaves_good_slaves")
        let minimum = settings["min-replicas-to-write"].flatMap { Int($0) } ?? (good == nil ? nil : 1)
        switch minimum {
        case let minimum? where minimum > 0 && (good ?? count) < minimum:
            return .fail(
                .replication, "min-replicas",
                "Redis takes writes only with \(minimum) replicas in step, and has \(good ?? count): calls are refused.",
                remedy: "Bring the replicas back, or lower min-replicas-to-write until they are.")
        case let minimum? where minimum > 0 && (good ?? count) == minimum:
            return .warn(
                .replication, "min-replicas",
                "Writes need \(minimum) of \(good ?? count) replicas in step: calls are refused when one of them is away, as "
                    + "after each failover.",
                remedy: "Add a replica, or run CONFIG SET min-replicas-to-write \(minimum - 1) on every server.")
        case let minimum? where minimum > 0:
            return .ok(.replication, "min-replicas", "writes need \(minimum) of \(good ?? count) in step")
        case _ where count == 0: return .skipped(.replication, "min-replicas", "no replicas")
        case nil: return .skipped(.replication, "min-replicas", "not permitted (+config|get)")
        case _ where count == 1:
            return .ok(
                .replication, "min-replicas",
                "0: with one replica, any other would refuse calls whenever one of the two is away")
        default:
            return .warn(
                .replication, "min-replicas",
                "A primary that is cut off from its replicas goes on taking writes, and loses them when it comes back.",
                remedy:
                    "Run CONFIG SET min-replicas-to-write 1 and CONFIG SET min-replicas-max-lag 10, and write both into "
                    + "redis.conf, on every server.")
        }
    }
}
