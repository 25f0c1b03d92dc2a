import Hiredis
import RedisClient

/// What one server of a cluster says of all of it.
package struct ClusterFacts: Sendable, Hashable {
    /// One line of `CLUSTER NODES` (https://redis.io/docs/latest/commands/cluster-nodes/).
    package struct Member: Sendable, Hashable {
        package let id: String
        package let place: ClusterNode
        package let flags: Set<String>

        /// Of a replica: whose.
        package let primaryID: String?
        package let isLinked: Bool
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

    /// Slots that nobody keeps who is there.
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
    private static func place(_ word: Substring, from host: String) -> ClusterNode? {
        let parts = word.split(separator: ",", omittingEmptySubsequences: false)
        let address = parts[0].prefix { $0 != "@" }
        guard let colon = address.lastIndex(of: ":"), let port = Int(address[address.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        let name = parts.count > 1 && !parts[1].contains("=") && !parts[1].isEmpty ? parts[1] : address[..<colon]
        return ClusterNode(host: name.isEmpty ? host : String(name), port: port)
    }
}

extension RedisExamination {
    /// Asks a server of a cluster about it.
    ///
    /// - Parameter host: How it is reached.
    package func clusterFacts(from host: String) async throws(RedisError) -> ClusterFacts {
        let info = try await client.execute(RedisCommand("CLUSTER", "INFO")).string ?? ""
        let nodes = try await client.execute(RedisCommand("CLUSTER", "NODES")).string ?? ""
        return ClusterFacts(info: info, nodes: nodes, from: host)
    }
}
