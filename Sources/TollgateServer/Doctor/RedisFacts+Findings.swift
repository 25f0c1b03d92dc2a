import RedisClient
import TollgateCore
import TollgateStore

/// What is to be thought of the facts about one Redis server.
extension RedisFacts {
    /// What a server is there for.
    enum Part: Sendable, Hashable {
        /// All workers' calls.
        case alone
        /// To take its primary's place.
        case replica
        /// A part of a cluster's users.
        case clusterPrimary
    }

    /// - Parameters:
    ///   - user: Whom the worker logs in as.
    ///   - timeoutMilliseconds: How long Redis has for an answer.
    ///   - scopes: Those that routes ask for. Nil where the scopes of users' keys are not judged.
    func findings(
        user: String, timeoutMilliseconds: Int, as part: Part = .alone, scopes: Set<KeyScope>? = nil
    ) -> [Finding] {
        var ofInfo: [Finding]
        switch info {
        case .success(let info):
            ofInfo =
                [version(info), clusterMode(info), clients(info), scriptCache(info)].compactMap(\.self) + info.findings
                + [fsync(info)].compactMap(\.self) + ReplicationJudge(info: info, settings: settings).findings
            if part != .alone { ofInfo.removeAll { $0.code == "mode" } }
            if part == .replica { ofInfo = ofInfo.filter { $0.code != "role" } + [ReplicationJudge.link(info)] }
        case .failure(let error): ofInfo = [Self.infoIsMissing(error, user: user)]
        }
        return ofInfo + [clock] + (permissions?.findings(user: user) ?? [])
            + (admissions?.findings(timeoutMilliseconds: timeoutMilliseconds) ?? [])
            + sampleFindings(user: user, scopes)
    }

    /// For the overview as well.
    static func infoIsMissing(_ error: RedisError, user: String) -> Finding {
        if case .server(kind: "NOPERM", _) = error {
            return .warn(
                .permissions, "info-not-permitted", "Redis does not let this worker ask how it is.",
                remedy: "Permit it: ACL SETUSER \(user) +info")
        }
        return .warn(
            .redis, "info-unavailable", "Redis did not say how it is: \(error).",
            remedy: "See whether its INFO works in redis-cli.")
    }

    private func version(_ info: RedisServerInfo) -> Finding? {
        info.version.flatMap { version in ServerKind(info)?.finding(version: version) }
    }

    private func clusterMode(_ info: RedisServerInfo) -> Finding? {
        guard info["cluster_enabled"] == "1" || info["redis_mode"] == "cluster" else { return nil }
        return .fail(
            .topology, "mode", "This server is a node of a cluster, and REDIS_URL names it as if it were all of Redis.",
            remedy: "Begin REDIS_URL with redis-cluster:// or, for TLS, rediss-cluster://.")
    }

    private func clients(_ info: RedisServerInfo) -> Finding? {
        guard let connected = info.integer("connected_clients"),
            let maximum = info.integer("maxclients") ?? settings["maxclients"].flatMap({ Int($0) }), maximum > 0
        else { return nil }
        guard connected <= maximum / 5 * 4 else {
            return .warn(
                .redis, "clients", "\(connected) clients are connected, of \(maximum) that Redis takes.",
                remedy: "Raise maxclients, and the limit of open files that Redis runs with.")
        }
        return .ok(.redis, "clients", "\(connected) of \(maximum) are connected")
    }

    /// Far more than the workers' scripts, of several versions and with several plan tables.
    private static let manyScripts = 1000

    private func scriptCache(_ info: RedisServerInfo) -> Finding? {
        guard let count = info.integer("number_of_cached_scripts") else { return nil }
        guard count <= Self.manyScripts else {
            return .warn(
                .redis, "script-cache", "Redis keeps \(count) scripts, which Tollgate has not sent.",
                remedy:
                    "Find the client that sends scripts with values in their text, and run SCRIPT FLUSH: workers send "
                    + "theirs again.")
        }
        return .ok(.redis, "script-cache", "\(count) scripts are kept")
    }

    private func fsync(_ info: RedisServerInfo) -> Finding? {
        guard info["aof_enabled"] == "1" else { return nil }
        switch settings["appendfsync"] {
        case "no":
            return .warn(
                .persistence, "fsync",
                "With appendfsync no, the system decides when counts reach the disk: half a minute of them may be lost.",
                remedy: "Run CONFIG SET appendfsync everysec, and write it into redis.conf.")
        case let policy?: return .ok(.persistence, "fsync", "appendfsync \(policy)")
        case nil: return .skipped(.persistence, "fsync", "not permitted (+config|get)")
        }
    }

    private var clock: Finding {
        switch clockAheadMilliseconds {
        case .success(let milliseconds): .clock(aheadMilliseconds: milliseconds)
        case .failure(let error):
            .fail(
                .clock, "clock", "Redis does not tell its time, which workers go by: \(error).",
                remedy: "Permit the command TIME.")
        }
    }
}

extension RedisFacts {
    fileprivate func sampleFindings(user: String, _ scopes: Set<KeyScope>?) -> [Finding] {
        switch sample {
        case nil: []
        case .success(let sample): sample.findings(asked: scopes)
        case .failure(.server(kind: "NOPERM", _)):
            [
                .skipped(
                    .keys, "sample", "not permitted (+scan +type)",
                    remedy: "Workers need no such right; to have keys looked at, run the doctor with another login: "
                        + "--redis-url, or ACL SETUSER \(user) +scan +type.")
            ]
        case .failure(let error): [.skipped(.keys, "sample", "\(error)")]
        }
    }
}
