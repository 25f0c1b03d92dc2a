import Hiredis

/// Which server keeps which slots, as one of them has told it.
struct ClusterMap: Sendable, Hashable {
    /// The latest decision that the server that tells this has heard of: who takes whose place, and who takes a slot.
    let epoch: Int64

    /// Those that take writes, in a fixed order.
    let primaries: [HostAndPort]

    /// Those that would take a primary's place.
    let replicas: [HostAndPort]

    /// By slot: the place in ``primaries``, or ``unassigned``.
    private let owners: [UInt16]

    private static let unassigned = UInt16.max

    /// Far more than clusters have (they are made for up to 1,000 servers).
    static let maximumNodes = 4096

    /// One server and its replicas.
    struct Shard: Hashable {
        var primary: HostAndPort?
        var replicas: [HostAndPort] = []
        var slots: [ClosedRange<Int>] = []
    }

    init(epoch: Int64, shards: [Shard]) {
        self.epoch = epoch
        var owners = Array(repeating: Self.unassigned, count: HashSlot.count)
        let sorted = shards.filter { $0.primary != nil }.sorted {
            ($0.slots.first?.lowerBound ?? .max, $0.description) < ($1.slots.first?.lowerBound ?? .max, $1.description)
        }
        for (place, shard) in sorted.enumerated() {
            for range in shard.slots { for slot in range { owners[slot] = UInt16(place) } }
        }
        self.owners = owners
        primaries = sorted.compactMap(\.primary)
        replicas = shards.flatMap(\.replicas)
    }

    /// The place of the slot's server in ``primaries``. Nil when no primary keeps it.
    func owner(of slot: HashSlot) -> Int? {
        let owner = owners[slot.number]
        return owner == Self.unassigned ? nil : Int(owner)
    }

    /// Whether each slot has a server.
    var isWhole: Bool { !owners.contains(Self.unassigned) }

    /// Slots that each primary keeps.
    var slotCounts: [Int] {
        var counts = Array(repeating: 0, count: primaries.count)
        for owner in owners where owner != Self.unassigned { counts[Int(owner)] += 1 }
        return counts
    }
}

extension ClusterMap.Shard {
    fileprivate var description: String { primary.map { "\($0)" } ?? "" }
}

// MARK: What servers tell

extension ClusterMap {
    /// Reads what `CLUSTER SHARDS` answers (Redis 7 and Valkey):
    /// https://redis.io/docs/latest/commands/cluster-shards/
    ///
    /// - Parameters:
    ///   - host: Where the answer came from; it stands for a server that does not say where it is.
    ///   - usesTLS: Which of the servers' ports counts.
    /// - Returns: Nil when it has another form than this version knows.
    init?(shards reply: RedisReply, epoch: Int64, from host: String, usesTLS: Bool) {
        guard let elements = reply.array, elements.count <= Self.maximumNodes else { return nil }
        var shards: [Shard] = []
        for element in elements {
            let fields = element.fields
            guard let numbers = fields["slots"]?.array, let nodes = fields["nodes"]?.array,
                nodes.count <= Self.maximumNodes, let slots = Self.ranges(numbers)
            else { return nil }
            var shard = Shard(slots: slots)
            for node in nodes.map(\.fields) where !["fail", "failed"].contains(node["health"]?.string) {
                guard let port = node[usesTLS ? "tls-port" : "port"]?.integer,
                    let place = HostAndPort(
                        endpoint: node["endpoint"]?.string, address: node["ip"]?.string, port: port, from: host)
                else { continue }
                let isPrimary = node["role"]?.string == "master"
                if isPrimary, shard.primary == nil { shard.primary = place } else { shard.replicas.append(place) }
            }
            shards.append(shard)
        }
        self.init(epoch: epoch, shards: shards)
    }

    /// Reads what `CLUSTER SLOTS` answers (before Redis 7): https://redis.io/docs/latest/commands/cluster-slots/
    init?(slots reply: RedisReply, epoch: Int64, from host: String) {
        guard let elements = reply.array, elements.count <= HashSlot.count else { return nil }
        var shards: [HostAndPort: Shard] = [:]
        for element in elements {
            guard let parts = element.array, parts.count >= 3, let slots = Self.ranges(Array(parts[..<2])) else {
                return nil
            }
            let nodes = parts[2...].compactMap { part -> HostAndPort? in
                guard let node = part.array, node.count >= 2, let port = node[1].integer else { return nil }
                return HostAndPort(endpoint: node[0].string, address: nil, port: port, from: host)
            }
            guard let primary = nodes.first, shards.count < Self.maximumNodes else { return nil }
            shards[primary, default: Shard(primary: primary)].slots += slots
            shards[primary]?.replicas = Array(nodes.dropFirst())
        }
        self.init(epoch: epoch, shards: Array(shards.values))
    }

    /// First, last, first, last, …
    private static func ranges(_ numbers: [RedisReply]) -> [ClosedRange<Int>]? {
        guard numbers.count.isMultiple(of: 2) else { return nil }
        var ranges: [ClosedRange<Int>] = []
        for index in stride(from: 0, to: numbers.count, by: 2) {
            // Redis 7.0 tells them as numbers here and as texts there.
            guard let first = numbers[index].number, let last = numbers[index + 1].number, first <= last,
                let lower = HashSlot(number: first), let upper = HashSlot(number: last)
            else { return nil }
            ranges.append(lower.number...upper.number)
        }
        return ranges
    }
}

extension RedisReply {
    fileprivate var number: Int? { integer.map { Int($0) } ?? string.flatMap { Int($0) } }
}
