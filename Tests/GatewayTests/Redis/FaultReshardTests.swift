import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@testable import struct RedisClient.HashSlot

/// Slots of busy users are moved from server to server under load.
@Suite(.serialized, .timeLimit(.minutes(5)), .tags(.measuresTime)) struct FaultReshardTests {
    /// Users of one slot, and others.
    private static let names = FaultSlots.neighbours + FaultFleet.names(16).dropFirst()

    private static func withCluster(_ body: (ClusterProcesses, FaultFleet, Int) async throws -> Void) async throws {
        try await ClusterProcesses.run { cluster in
            try await FaultFleet.run(url: cluster.url(), names: names) { fleet in
                try await body(cluster, fleet, FaultSlots.slot(of: "user_0"))
            }
        }
    }

    private static func close(_ fleet: FaultFleet, _ cluster: ClusterProcesses) async throws -> FaultBooks {
        try await fleet.close(losesNothing: true) { users in
            try await cluster.withClient { try await $0.counts(of: users) }
        }
    }

    /// Ten times, as `redis-cli --cluster reshard` does it.
    @Test func aSlotIsMovedBackAndForth() async throws {
        try await Self.withCluster { cluster, fleet, slot in
            let home = try await cluster.owner(of: slot)
            let away = try #require(cluster.servers.first { $0 !== home })
            let fault = FaultLoad.now
            var longest = Duration.zero
            for _ in 1...5 {
                for (source, target) in [(home, away), (away, home)] {
                    let move = try await FaultMove(slot: slot, from: source, to: target, in: cluster)
                    let took = try await move.run()
                    longest = max(longest, took)
                    try await fleet.load.flows(150)
                }
            }
            let books = try await Self.close(fleet, cluster)
            FaultRow(
                drill: "cluster: a slot of 6 busy users moved 10 times, key by key", books: books, fault: fault,
                memoryGrowth: try fleet.memoryGrowth, remark: "a move took up to \(longest.milliseconds) ms"
            ).write()
        }
    }

    /// Valkey 9 sends a slot as it feeds a replica, and hands it over in one moment: no call fails.
    @Test(.enabled(if: FaultMove.mayBeAtomic)) func aSlotIsMovedAtOnce() async throws {
        try await Self.withCluster { cluster, fleet, slot in
            let home = try await cluster.owner(of: slot)
            let away = try #require(cluster.servers.first { $0 !== home })
            let fault = FaultLoad.now
            for _ in 1...5 {
                for (source, target) in [(home, away), (away, home)] {
                    let id = try await cluster.id(of: target)
                    try await eventually("the move may begin") {
                        let line = "CLUSTER MIGRATESLOTS SLOTSRANGE \(slot) \(slot) NODE \(id)"
                        return (try? await cluster.ask(source, line)) == .status("OK")
                    }
                    try await eventually("the slot has arrived") { try await cluster.owner(of: slot) === target }
                    try await fleet.load.flows(150)
                }
            }
            let books = try await Self.close(fleet, cluster)
            #expect(books.refused(fault..<Int64.max).isEmpty)
            FaultRow(
                drill: "cluster: a slot of 6 busy users moved 10 times, at once (Valkey 9)", books: books, fault: fault,
                memoryGrowth: try fleet.memoryGrowth
            ).write()
        }
    }

    /// A move that is interrupted half-way: its users wait, then are refused, and lose nothing.
    @Test func aMoveTakesLongerThanACallWaits() async throws {
        try await Self.withCluster { cluster, fleet, slot in
            let home = try await cluster.owner(of: slot)
            let away = try #require(cluster.servers.first { $0 !== home })
            let hit = Set(fleet.users.indices.filter { FaultSlots.slot(of: fleet.users[$0].name) == slot })
            let move = try await FaultMove(slot: slot, from: home, to: away, in: cluster)
            let fault = FaultLoad.now
            try await move.begin()
            try await move.moveKeys(count: 5)
            try await fleet.load.flows(100, status: 503)
            try await move.moveKeys()
            try await move.end()
            let mended = FaultLoad.now
            try await fleet.load.flows(1000)
            let books = try await Self.close(fleet, cluster)
            let others = books.refused(fault..<Int64.max).filter { !hit.contains($0.user) }
            #expect(others.isEmpty, "\(others.count) of users whose slot is not moved")
            #expect(books.returnMilliseconds(since: mended, users: hit) < FaultSentinelTests.returnLimit)
            FaultRow(
                drill: "cluster: a move that stands still half-way", books: books, fault: fault, mended: mended,
                users: hit, memoryGrowth: try fleet.memoryGrowth
            ).write()
        }
    }
}

enum FaultSlots {
    static func slot(of user: String) -> Int { HashSlot(tag: user.utf8).number }

    /// They share a slot.
    static let neighbours = ["user_0", "peer_47967", "peer_56926", "peer_107591", "peer_120261", "peer_125513"]
}

/// One slot's way to another server, in the steps that `redis-cli --cluster reshard` takes, over connections that stand.
struct FaultMove {
    /// Whether the tests' servers can do without such steps.
    static var mayBeAtomic: Bool {
        ProcessInfo.processInfo.environment["TOLLGATE_REDIS_SERVER"]?.contains("valkey") == true
    }

    private let slot: Int
    private let source: RedisServerProcess
    private let target: RedisServerProcess
    private let cluster: ClusterProcesses
    private let sourceID: String
    private let targetID: String

    init(
        slot: Int, from source: RedisServerProcess, to target: RedisServerProcess, in cluster: ClusterProcesses
    ) async throws {
        (self.slot, self.source, self.target, self.cluster) = (slot, source, target, cluster)
        sourceID = try await cluster.id(of: source)
        targetID = try await cluster.id(of: target)
    }

    /// - Returns: How long the slot was on its way.
    func run() async throws -> Duration {
        try await withRedisClient(source.inspectorConfiguration) { source in
            try await withRedisClient(target.inspectorConfiguration) { target in
                try await timed {
                    try await begin(source, target)
                    try await moveKeys(source)
                    try await end(source, target)
                }.duration
            }
        }
    }

    func begin() async throws { try await withBoth { try await begin($0, $1) } }

    /// - Parameter count: How many. Nil for all.
    func moveKeys(count: Int? = nil) async throws {
        try await withBoth { source, _ in try await moveKeys(source, count) }
    }

    func end() async throws { try await withBoth { try await end($0, $1) } }

    private func withBoth(_ body: (RedisClient, RedisClient) async throws -> Void) async throws {
        try await withRedisClient(source.inspectorConfiguration) { source in
            try await withRedisClient(target.inspectorConfiguration) { try await body(source, $0) }
        }
    }

    private func begin(_ source: RedisClient, _ target: RedisClient) async throws {
        try await target.send("CLUSTER SETSLOT \(slot) IMPORTING \(sourceID)")
        try await source.send("CLUSTER SETSLOT \(slot) MIGRATING \(targetID)")
    }

    private func moveKeys(_ source: RedisClient, _ count: Int? = nil) async throws {
        while true {
            let reply = try await source.send("CLUSTER GETKEYSINSLOT \(slot) \(count ?? 10)")
            let keys = (reply.array ?? []).compactMap(\.string)
            guard !keys.isEmpty else { return }
            var command = RedisCommand("MIGRATE", "127.0.0.1", "\(target.port)", "", "0", "5000", "KEYS")
            for key in keys { command.append(key) }
            let answer = try await source.execute(command)
            guard answer == .status("OK") || answer == .status("NOKEY") else {
                throw NeverHappened(description: "MIGRATE answered \(answer)")
            }
            if count != nil { return }
        }
    }

    private func end(_ source: RedisClient, _ target: RedisClient) async throws {
        try await target.send("CLUSTER SETSLOT \(slot) NODE \(targetID)")
        try await source.send("CLUSTER SETSLOT \(slot) NODE \(targetID)")
        for server in cluster.servers where server !== self.source && server !== self.target {
            _ = try? await cluster.ask(server, "CLUSTER SETSLOT \(slot) NODE \(targetID)")
        }
    }
}

extension Duration {
    var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
