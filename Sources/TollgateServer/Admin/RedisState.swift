import RedisClient
import TollgateCore
import TollgateStore

/// How Redis is, as this worker sees it.
enum RedisState: Sendable {
    /// It answers.
    ///
    /// - Parameters:
    ///   - info: What it says of itself. A failure says why that is not known.
    case answering(latency: Duration, info: Result<RedisServerInfo, RedisError>)

    /// It does not answer, and why.
    case unavailable(reason: String)

    static func ask(_ inspection: RedisInspection) async -> RedisState {
        do throws(RedisError) {
            let latency = try await inspection.latency()
            let info: Result<RedisServerInfo, RedisError>
            do throws(RedisError) {
                info = .success(try await inspection.info())
            } catch {
                info = .failure(error)
            }
            return .answering(latency: latency, info: info)
        } catch {
            return .unavailable(reason: "\(error)")
        }
    }

    var isAvailable: Bool {
        if case .answering = self { true } else { false }
    }

    private func warnings(user: String) -> [RedisWarning] {
        switch self {
        case .unavailable: []
        case .answering(_, .success(let info)): info.warnings
        case .answering(_, .failure(let error)): [RedisWarning(RedisFacts.infoIsMissing(error, user: user))]
        }
    }

    /// - Parameters:
    ///   - user: Whom the worker logs in as.
    ///   - reportFailure: Why the worker's last report was not taken. Nil when it was.
    ///   - noticed: What the worker has noticed while it worked.
    func json(user: String, reportFailure: String?, noticed: [RedisWarning]) -> JSON {
        let reportWarning = isAvailable ? reportFailure.map { RedisWarning(reportFailure: $0) } : nil
        let warnings = warnings(user: user) + [reportWarning].compactMap(\.self) + (isAvailable ? noticed : [])
        let isWell = isAvailable && warnings.isEmpty
        var (reason, latency, server) = (JSON.null, JSON.null, JSON.null)
        switch self {
        case .unavailable(let cause): reason = .string(cause)
        case .answering(let duration, let info):
            latency = .decimal((duration / .microseconds(10)).rounded() / 100)
            if case .success(let info) = info { server = info.json }
        }
        return [
            "state": .string(isAvailable ? isWell ? "ok" : "warning" : "unavailable"), "reason": reason,
            "latencyMilliseconds": latency, "server": server,
            "warnings": .array(warnings.map { ["code": .string($0.code), "message": .string($0.message)] }),
        ]
    }
}

extension RedisServerInfo {
    fileprivate var json: JSON {
        [
            "version": .text(version), "role": .text(self["role"]), "uptimeSeconds": number("uptime_in_seconds"),
            "usedMemoryBytes": number("used_memory"),
            // 0 stands for no limit.
            "maxMemoryBytes": integer("maxmemory") == 0 ? .null : number("maxmemory"),
            "maxMemoryPolicy": .text(self["maxmemory_policy"]), "connectedClients": number("connected_clients"),
            "commandsPerSecond": number("instantaneous_ops_per_sec"), "evictedKeys": number("evicted_keys"),
            "appendOnlyFile": self["aof_enabled"].map { .bool($0 == "1") } ?? .null,
            "lastSnapshotOk": self["rdb_last_bgsave_status"].map { .bool($0 == "ok") } ?? .null,
            "lastSnapshotAt": lastSnapshot,
        ]
    }

    private var lastSnapshot: JSON {
        integer("rdb_last_save_time").map { .moment(UnixTime(seconds: Int64($0))) } ?? .null
    }

    private func number(_ name: String) -> JSON { integer(name).map { .integer($0) } ?? .null }
}
