import TollgateStore

/// Judges servers that belong together: each for itself, and whether they are alike.
struct ServerGroupJudge: Sendable {
    struct Server: Sendable {
        let place: String
        let part: RedisFacts.Part
        let facts: Result<RedisFacts, RedisProbe.Unreachable>

        /// It is judged for itself elsewhere.
        var isForComparison = false
    }

    /// Settings and facts that the servers of one group have in common, or one of them surprises after a failover.
    private static let alike = [
        "maxmemory", "maxmemory_policy", "aof_enabled", "min-replicas-to-write", "min-replicas-max-lag", "appendfsync",
    ]

    let user: String
    let timeoutMilliseconds: Int
    let servers: [Server]

    var findings: [Finding] {
        guard !servers.isEmpty else { return [] }
        let own = servers.filter { !$0.isForComparison }
        return own.map(reachability) + merged(own) + [versions, settings].compactMap(\.self)
    }

    private func reachability(_ server: Server) -> Finding {
        switch server.facts {
        case .success(let facts):
            let kind = server.part == .replica ? "a replica" : "a primary"
            let version = (try? facts.info.get().version).map { ", version \($0)" } ?? ""
            return .ok(.topology, "server", "\(server.place): \(kind)\(version)")
        case .failure(let error):
            let diagnosis = ConnectionDiagnosis(reason: error.reason).finding(place: server.place)
            return server.part == .replica
                ? .warn(.topology, "server", diagnosis.found, remedy: diagnosis.remedy ?? "")
                : .fail(.topology, "server", diagnosis.found, remedy: diagnosis.remedy ?? "")
        }
    }

    /// What is so with several servers is told once. What is well is told only of a whole cluster or of all its primaries:
    /// of a single server that stands for all there are lines of its own.
    private func merged(_ own: [Server]) -> [Finding] {
        let reached = own.filter { $0.facts.failure == nil }
        let primaries = reached.filter { $0.part == .clusterPrimary }.map(\.place)
        var places: [Finding: [String]] = [:]
        var order: [Finding] = []
        for server in reached {
            guard let facts = try? server.facts.get() else { continue }
            let findings = facts.findings(user: user, timeoutMilliseconds: timeoutMilliseconds, as: server.part)
            for finding in findings {
                if places[finding] == nil { order.append(finding) }
                places[finding, default: []].append(server.place)
            }
        }
        return order.compactMap { finding in
            let places = places[finding] ?? []
            if finding.isWrong { return finding.at(places.joined(separator: ", ")) }
            if primaries.isEmpty { return nil }
            if places.count == reached.count { return finding.at("all servers") }
            return places == primaries ? finding.at("all primaries") : nil
        }
    }

    private var versions: Finding? {
        let found = servers.compactMap { server -> (String, String)? in
            guard let version = try? server.facts.get().info.get().version else { return nil }
            return (version, server.place)
        }
        let places = Dictionary(grouping: found, by: \.0).mapValues { $0.map(\.1) }
        guard places.count > 1 else { return nil }
        let text = places.sorted { $0.key < $1.key }.map { "\($0.key) at \($0.value.joined(separator: ", "))" }
        return .warn(
            .topology, "versions", "The servers are of several versions: \(text.joined(separator: "; ")).",
            remedy: "Bring all to the newest: a replica of an older version cannot read what a newer primary sends.")
    }

    private var settings: Finding? {
        let differing = Self.alike.filter { name in
            let values = servers.compactMap { server -> String? in
                guard let facts = try? server.facts.get() else { return nil }
                return facts.settings[name] ?? (try? facts.info.get())?[name]
            }
            return Set(values).count > 1
        }
        guard !differing.isEmpty else { return nil }
        return .warn(
            .topology, "settings", "The servers differ in \(differing.joined(separator: ", ")).",
            remedy: "Give all the same redis.conf: after a failover another one serves.")
    }
}
