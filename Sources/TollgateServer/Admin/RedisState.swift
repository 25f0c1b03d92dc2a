import JSONValue
import RedisClient
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// How Redis is, as this worker sees it.
enum RedisState: Sendable {
    /// It answers.
    ///
    /// - Parameter servers: What each server says of itself, or why that is not known. At least one.
    case answering(latency: Duration, servers: [RedisInspection.Server])

    /// It does not answer, and why.
    case unavailable(reason: String)

    static func ask(_ inspection: RedisInspection) async -> RedisState {
        do throws(RedisError) {
            let latency = try await inspection.latency()
            return .answering(latency: latency, servers: await inspection.servers())
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
        case .answering(_, let servers): servers.flatMap { Self.warnings(of: $0, user: user) }
        }
    }

    private static func warnings(of server: RedisInspection.Server, user: String) -> [RedisWarning] {
        let warnings =
            switch server.info {
            case .success(let info): info.warnings
            case .failure(let error): [RedisWarning(RedisFacts.infoIsMissing(error, user: user))]
            }
        guard let address = server.address else { return warnings }
        return warnings.map { RedisWarning(code: $0.code, message: "\(address): \($0.message)") }
    }

    /// - Parameters:
    ///   - user: Whom the worker logs in as.
    ///   - reportFailure: Why the worker's last report was not taken. Nil when it was.
    ///   - noticed: What the worker has noticed while it worked.
    func json(user: String, reportFailure: String?, noticed: [RedisWarning]) -> JSON {
        let reportWarning = isAvailable ? reportFailure.map { RedisWarning(reportFailure: $0) } : nil
        let warnings = warnings(user: user) + [reportWarning].compactMap(\.self) + (isAvailable ? noticed : [])
        let isWell = isAvailable && warnings.isEmpty
        var (reason, latency, server, all) = (JSON.null, JSON.null, JSON.null, JSON.null)
        switch self {
        case .unavailable(let cause): reason = .string(cause)
        case .answering(let duration, let servers):
            latency = .decimal((duration / .microseconds(10)).rounded() / 100)
            let told = servers.compactMap { try? $0.info.get() }
            server = told.first?.json ?? .null
            if servers.contains(where: { $0.address != nil }) { all = .array(servers.map(\.json)) }
        }
        return [
            "state": .string(isAvailable ? isWell ? "ok" : "warning" : "unavailable"), "reason": reason,
            // The first one of a cluster's; all of these are in `cluster`.
            "latencyMilliseconds": latency, "server": server, "cluster": all,
            "warnings": .array(warnings.map { ["code": .string($0.code), "message": .string($0.message)] }),
        ]
    }
}

extension RedisInspection.Server {
    fileprivate var json: JSON {
        ["address": .text(address), "server": (try? info.get().json) ?? .null]
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
