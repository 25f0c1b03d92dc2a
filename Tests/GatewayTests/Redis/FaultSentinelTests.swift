import Hiredis
import NIOCore
import RedisClient
import TestSupport
import Testing
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
import Glibc
#else
import Foundation
#endif

/// A sentinel group that is broken under load.
@Suite(.serialized, .timeLimit(.minutes(5)), .tags(.measuresTime)) struct FaultSentinelTests {
    /// What is promised is a second; a busy machine may be late.
    static let returnLimit = 3000.0

    /// Sentinels need half a second to miss a primary: what is answered until this long after its end came from it.
    private static let stragglers: Int64 = 300_000_000

    /// With two replicas one is left to acknowledge what the new primary takes.
    @Test(arguments: [false, true]) func thePrimaryIsKilled(waitsForAReplica: Bool) async throws {
        let arguments = RedisServerProcess.keepsAll + (waitsForAReplica ? Self.waitingForAReplica : [])
        try await SentinelProcesses.run(replicaCount: 2, serverArguments: arguments) { group in
            try await FaultFleet.run(url: group.url()) { fleet in
                await group.primary.kill()
                let fault = FaultLoad.now
                try await group.announcement()
                let announcement = FaultLoad.now
                try await fleet.load.flows(1500)
                let kept = try await group.primary.keptCounts(of: fleet.users)
                let books = try await fleet.close(losesNothing: false) { try await group.replica.counts(of: $0) }
                let lostByRedis = expectLossOfRedisAlone(books, kept: kept, until: fault + Self.stragglers)
                #expect(books.returnMilliseconds(since: announcement) < Self.returnLimit)
                FaultRow(
                    drill: "sentinel: kill -9 of the primary" + (waitsForAReplica ? ", min-replicas-to-write 1" : ""),
                    books: books, fault: fault, mended: announcement, lostByRedis: lostByRedis,
                    memoryGrowth: try fleet.memoryGrowth
                ).write()
            }
        }
    }

    private static let waitingForAReplica = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "1"]

    /// Hung and not dead: when it goes on it takes itself for the primary still, until it is told.
    @Test func thePrimaryHangsAndComesBackAsOne() async throws {
        try await SentinelProcesses.run(serverArguments: RedisServerProcess.keepsAll) { group in
            try await FaultFleet.run(url: group.url()) { fleet in
                group.primary.suspend()
                let fault = FaultLoad.now
                try await group.announcement()
                let announcement = FaultLoad.now
                try await fleet.load.flows(1000)
                group.primary.resume()
                // Commands that lay in its sockets are all that it takes.
                try await fleet.load.flows(300)
                let old = try await group.primary.counts(of: fleet.users)
                try await fleet.load.flows(1000)
                if try await group.primary.ask("ROLE").array?.first?.string == "master" {
                    let later = try await group.primary.counts(of: fleet.users)
                    #expect(later == old, "no worker writes to it")
                }
                let books = try await fleet.close(losesNothing: false) { try await group.replica.counts(of: $0) }
                #expect(books.returnMilliseconds(since: announcement) < Self.returnLimit)
                FaultRow(
                    drill: "sentinel: SIGSTOP of the primary, SIGCONT after the promotion", books: books, fault: fault,
                    mended: announcement, memoryGrowth: try fleet.memoryGrowth
                ).write()
            }
        }
    }

    /// The old primary takes writes until the sentinels have seen the new one: about a second of counts is lost with it,
    /// unless it is told to hold writes back first.
    @Test(arguments: [false, true]) func thePrimaryIsSwitchedByHand(holdsWritesBack: Bool) async throws {
        try await SentinelProcesses.run(serverArguments: RedisServerProcess.keepsAll) { group in
            try await FaultFleet.run(url: group.url()) { fleet in
                let sentinel = RedisClientConfiguration(
                    endpoint: try RedisEndpoint(url: "redis://127.0.0.1:\(group.sentinels[0].port)"),
                    commandTimeout: .seconds(5))
                let fault = FaultLoad.now
                if holdsWritesBack { try await group.primary.ask("CLIENT PAUSE 15000 WRITE") }
                _ = try await withRedisClient(sentinel) { client in
                    try await client.send("SENTINEL FAILOVER \(SentinelProcesses.primaryName)")
                }
                try await group.announcement()
                let announcement = FaultLoad.now
                try await group.isSwitched(at: group.sentinels)
                try await fleet.load.flows(1500)
                // The sentinel that is left cannot decide anything, and keeps no worker from serving.
                for sentinel in group.sentinels.dropFirst() { sentinel.process.suspend() }
                let alone = FaultLoad.now
                try await fleet.load.flows(500)
                let books = try await fleet.close(losesNothing: holdsWritesBack) {
                    try await group.replica.counts(of: $0)
                }
                #expect(books.returnMilliseconds(since: announcement) < Self.returnLimit)
                #expect(books.refused(alone..<Int64.max).isEmpty, "all sentinels but one are gone")
                FaultRow(
                    drill: "sentinel: " + (holdsWritesBack ? "CLIENT PAUSE WRITE, then " : "") + "SENTINEL FAILOVER",
                    books: books, fault: fault, mended: announcement, memoryGrowth: try fleet.memoryGrowth
                ).write()
            }
        }
    }

    /// The replicas hear nothing of the primary any more, some time before it dies: what it takes meanwhile is lost,
    /// unless it has been told to take nothing that no replica acknowledges.
    @Test(arguments: [false, true]) func theReplicasAreCutOffFirst(waitsForAReplica: Bool) async throws {
        let arguments = RedisServerProcess.keepsAll + (waitsForAReplica ? Self.waitingForAReplica : [])
        let relay = try await LossyRelay()
        try await SentinelProcesses.run(replicaCount: 2, serverArguments: arguments, relay: relay) { group in
            try await FaultFleet.run(url: group.url()) { fleet in
                let fault = FaultLoad.now
                relay.cut()
                try await Task.sleep(for: .seconds(5))
                if waitsForAReplica { try await fleet.expectNotReady("NOREPLICAS") }
                await group.primary.kill()
                let end = FaultLoad.now
                try await group.announcement()
                let announcement = FaultLoad.now
                try await fleet.load.flows(1000)
                let kept = try await group.primary.keptCounts(of: fleet.users)
                let books = try await fleet.close(losesNothing: false) { try await group.replica.counts(of: $0) }
                let lostByRedis = expectLossOfRedisAlone(books, kept: kept, until: end + Self.stragglers)
                #expect(books.returnMilliseconds(since: announcement) < Self.returnLimit)
                if waitsForAReplica {
                    // A second of patience, and Redis looks every second.
                    let late = books.answers.filter {
                        $0.status == 200 && (fault + 4_000_000_000..<end).contains($0.began)
                    }
                    #expect(late.isEmpty, "it takes nothing that no replica acknowledges")
                }
                FaultRow(
                    drill: "sentinel: replicas cut off for 5 s, then kill -9 of the primary"
                        + (waitsForAReplica ? ", min-replicas-to-write 1" : ""),
                    books: books, fault: fault, mended: announcement, lostByRedis: lostByRedis,
                    memoryGrowth: try fleet.memoryGrowth
                ).write()
            }
        }
        try await relay.close()
    }
}

/// Expects that what callers were told and what is gone was in the old primary, and that it had counted no more than it
/// was asked.
///
/// - Parameters:
///   - kept: By user: what the old primary had.
///   - end: What was answered later did not come from it.
/// - Returns: How many calls it had counted that the new primary lacks.
func expectLossOfRedisAlone(
    _ books: FaultBooks, kept: [Int], until end: Int64, users: [Int]? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
) -> Int {
    var lostByRedis = 0
    for index in users ?? Array(books.users.indices) {
        let before = books.answers.filter { $0.user == index && $0.ended <= end }
        let admitted = before.filter { $0.status == 200 }
        let told = admitted.map(\.count).max() ?? 0
        let unclear = books.answers.count { $0.user == index && $0.isUnclear && $0.began <= end }
        let facts: Comment =
            "\(books.users[index].name): \(kept[index]) kept, \(told) told, \(admitted.count) admitted, \(unclear) unclear"
        #expect(told <= kept[index], facts, sourceLocation: sourceLocation)
        #expect(kept[index] <= admitted.count + unclear, facts, sourceLocation: sourceLocation)
        let later = books.answers.filter { $0.user == index && $0.status == 200 && $0.ended > end }.map(\.count).min()
        lostByRedis += kept[index] - (later.map { $0 - 1 } ?? books.counted[index])
    }
    #expect(books.lost <= lostByRedis, "no count is gone but what Redis lost", sourceLocation: sourceLocation)
    return lostByRedis
}
