package import Hiredis
package import RedisClient

/// What one server of a cluster says of all of it.
package struct ClusterFacts: Sendable, Hashable {
    /// One line of `CLUSTER NODES` (https://redis.io/docs/latest/commands/cluster-nodes/).
    package struct Member: Sendable, Hashable {
        package let id: String
        package let place: HostAndPort
        package let flags: Set<String>

        /// Of a replica: whose.
        package let primaryID: String?
        let isLinked: Bool
        package let slots: [ClosedRange<Int>]

        /// Slots that are on their way to or from this server. Each server tells of its own alone.
        package let movingSlots: [Int]

        package var isPrimary: Bool { flags.contains("master") }

        /// Whether the others have given it up, or begin to.
        package var isFailing: Bool {
            !flags.isDisjoint(with: ["fail", "fail?", "noaddr", "handshake"]) || !isLinked && !flags.contains("myself")
        }
    }

    package static let slotCount = 16_384

    /// `ok` or `fail`.
    package var state: String

    package var members: [Member]

    /// Whether it is told which slots are on their way.
    package var knowsMoves = true

    package init(state: String, members: [Member]) {
        self.state = state
        self.members = members
    }

    /// - Parameters:
    ///   - info: What `CLUSTER INFO` answers.
    ///   - nodes: What `CLUSTER NODES` answers.
    ///   - host: Where the answer came from; it stands for a server that does not know where it is.
    package init(info: String, nodes: String, from host: String) {
        state = RedisServerInfo(info)["cluster_state"] ?? "unknown"
        members = nodes.split(whereSeparator: \.isNewline).prefix(1000).compactMap { Member($0, from: host) }
    }

    /// Slots that no primary keeps, or only one that has failed.
    package var missingSlots: Int {
        var kept = Array(repeating: false, count: Self.slotCount)
        for member in members where member.isPrimary && !member.flags.contains("fail") {
            for range in member.slots { for slot in range { kept[slot] = true } }
        }
        return kept.count { !$0 }
    }
}

extension ClusterFacts.Member {
    /// `<id> <host:port@busport[,name]> <flags> <primary|-> <ping> <pong> <epoch> <link> <slots…>`
    fileprivate init?(_ line: Substring, from host: String) {
        let words = line.split(separator: " ")
        guard words.count >= 8, let place = Self.place(words[1], from: host) else { return nil }
        var slots: [ClosedRange<Int>] = []
        var moving: [Int] = []
        for word in words.dropFirst(8) {
            if word.hasPrefix("[") {
                if let slot = Int(word.dropFirst().prefix { $0.isNumber }) { moving.append(slot) }
                continue
            }
            let ends = word.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, first <= last,
                (0..<ClusterFacts.slotCount).contains(first), last < ClusterFacts.slotCount
            else { return nil }
            slots.append(first...last)
        }
        self.init(
            id: String(words[0]), place: place, flags: Set(words[2].split(separator: ",").map(String.init)),
            primaryID: words[3] == "-" ? nil : String(words[3]), isLinked: words[7] == "connected", slots: slots,
            movingSlots: moving)
    }

    /// The name, where the server has told one, or else its address.
    private static func place(_ word: Substring, from host: String) -> HostAndPort? {
        let parts = word.split(separator: ",", omittingEmptySubsequences: false)
        let address = parts[0].prefix { $0 != "@" }
        guard let colon = address.lastIndex(of: ":"), let port = Int(address[address.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        let name = parts.count > 1 && !parts[1].contains("=") && !parts[1].isEmpty ? parts[1] : address[..<colon]
        return HostAndPort(host: name.isEmpty ? host : String(name), port: port)
    }
}

extension RedisExamination {
    /// Asks a server of a cluster about it: by `CLUSTER NODES` where that is permitted, and else as workers do.
    ///
    /// - Parameters:
    ///   - host: How it is reached.
    ///   - usesTLS: Which of the servers' ports counts.
    package func clusterFacts(from host: String, usesTLS: Bool) async throws(RedisError) -> ClusterFacts {
        let info = try await client.execute(RedisCommand("CLUSTER", "INFO")).string ?? ""
        do throws(RedisError) {
            let nodes = try await client.execute(RedisCommand("CLUSTER", "NODES")).string ?? ""
            return ClusterFacts(info: info, nodes: nodes, from: host)
        } catch {
            guard case .server(kind: "NOPERM", _) = error else { throw error }
        }
        var facts = ClusterFacts(state: RedisServerInfo(info)["cluster_state"] ?? "unknown", members: [])
        facts.knowsMoves = false
        do throws(RedisError) {
            let shards = try await client.execute(RedisCommand("CLUSTER", "SHARDS"))
            facts.members = ClusterFacts.members(shards: shards, from: host, usesTLS: usesTLS)
        } catch {
            // Before Redis 7.
            let slots = try await client.execute(RedisCommand("CLUSTER", "SLOTS"))
            facts.members = ClusterFacts.members(slots: slots, from: host)
        }
        return facts
    }
}

extension ClusterFacts {
    /// Reads what `CLUSTER SHARDS` answers (https://redis.io/docs/latest/commands/cluster-shards/).
    package static func members(shards: RedisReply, from host: String, usesTLS: Bool) -> [Member] {
        (shards.array ?? []).prefix(1000).flatMap { shard -> [Member] in
            let fields = shard.fields
            let nodes = (fields["nodes"]?.array ?? []).map(\.fields)
            let primaryID = nodes.first { $0["role"]?.string == "master" }?["id"]?.string
            let slots = ranges(fields["slots"]?.array ?? [])
            return nodes.compactMap { node in
                guard let id = node["id"]?.string, let port = node[usesTLS ? "tls-port" : "port"]?.integer,
                    let place = HostAndPort(
                        endpoint: node["endpoint"]?.string, address: node["ip"]?.string, port: port, from: host)
                else { return nil }
                let isPrimary = id == primaryID
                let health = ["fail", "failed"].contains(node["health"]?.string) ? ["fail"] : []
                return Member(
                    id: id, place: place,
                    flags: Set([isPrimary ? "master" : "slave"] + health), primaryID: isPrimary ? nil : primaryID,
                    isLinked: true, slots: isPrimary ? slots : [], movingSlots: [])
            }
        }
    }

    /// Reads what `CLUSTER SLOTS` answers (https://redis.io/docs/latest/commands/cluster-slots/).
    package static func members(slots: RedisReply, from host: String) -> [Member] {
        var members: [String: Member] = [:]
        for entry in (slots.array ?? []).prefix(slotCount) {
            guard let parts = entry.array, parts.count >= 3 else { continue }
            let nodes = parts[2...].compactMap(\.array).filter { $0.count >= 3 }
            let primaryID = nodes.first?[2].string
            for node in nodes {
                guard let id = node[2].string, let port = node[1].integer,
                    let place = HostAndPort(endpoint: node[0].string, address: nil, port: port, from: host)
                else { continue }
                let isPrimary = id == primaryID
                members[id] = Member(
                    id: id, place: place,
                    flags: [isPrimary ? "master" : "slave"], primaryID: isPrimary ? nil : primaryID, isLinked: true,
                    slots: (members[id]?.slots ?? []) + (isPrimary ? ranges(Array(parts[..<2])) : []), movingSlots: [])
            }
        }
        return members.values.sorted { $0.id < $1.id }
    }

    /// First, last, first, last, …
    private static func ranges(_ numbers: [RedisReply]) -> [ClosedRange<Int>] {
        let numbers = numbers.map { $0.integer.map { Int($0) } ?? $0.string.flatMap { Int($0) } ?? -1 }
        return stride(from: 0, to: numbers.count - 1, by: 2).compactMap { index in
            let (first, last) = (numbers[index], numbers[index + 1])
            return first >= 0 && first <= last && last < slotCount ? first...last : nil
        }
    }
}
