import Hiredis
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

/// One Redis that is broken under load.
@Suite(.serialized, .timeLimit(.minutes(5)), .tags(.measuresTime)) struct FaultTests {
    /// What is promised is a second; a busy machine may be late.
    private static let returnLimit = 3000.0

    /// What is promised is 300 ms for 99 of 100 refusals.
    private static let refusalLimit = 600.0

    /// Breaks a Redis, mends it, and waits until calls are admitted again.
    ///
    /// - Parameters:
    ///   - status: What callers are answered meanwhile.
    ///   - losesNothing: Redis keeps all that it has acknowledged.
    ///   - returnLimit: How long after it was mended the last worker may still refuse, in milliseconds.
    private static func drill(
        _ name: String, _ redis: RedisServerProcess, url: String? = nil, losesNothing: Bool = true,
        returnLimit: Double = returnLimit, sourceLocation: SourceLocation = #_sourceLocation,
        breaks: (FaultFleet) async throws -> Void, mends: () async throws -> Void,
        remark: (FaultBooks) -> String = { _ in "" }
    ) async throws -> FaultBooks {
        try await FaultFleet.run(url: url ?? redis.url) { fleet in
            let fault = FaultLoad.now
            try await breaks(fleet)
            try await mends()
            let mended = FaultLoad.now
            try await fleet.load.flows(1000)
            let books = try await fleet.close(losesNothing: losesNothing, sourceLocation: sourceLocation) { users in
                try await redis.counts(of: users)
            }
            let back = books.returnMilliseconds(since: mended)
            #expect(back < returnLimit, sourceLocation: sourceLocation)
            let refused = books.refused(fault..<mended)
            let slow = FaultBooks.percentile(99, of: refused)
            #expect(slow < refusalLimit, sourceLocation: sourceLocation)
            FaultRow(
                drill: "one Redis: " + name, books: books, fault: fault, mended: mended,
                memoryGrowth: try fleet.memoryGrowth, remark: remark(books)
            ).write()
            return books
        }
    }

    /// Once a connection is known to hang, callers are told so at once.
    @Test func itHangs() async throws {
        try await withRedis { redis in
            var known: Int64 = 0
            let books = try await Self.drill("SIGSTOP for 2 s, then SIGCONT", redis) { fleet in
                redis.suspend()
                try await fleet.load.flows(300, status: 503)
                known = FaultLoad.now
                try await Task.sleep(for: .seconds(2))
            } mends: {
                redis.resume()
            } remark: { books in
                let quick = books.refused(known..<known + 1_900_000_000)
                let times = [50, 99].map { FaultRow.number(FaultBooks.percentile($0, of: quick)) }
                return "known to hang: p50 \(times[0]) ms, p99 \(times[1]) ms of \(quick.count)"
            }
            let quick = books.refused(known..<known + 1_900_000_000)
            #expect(quick.count > 100)
            #expect(FaultBooks.percentile(50, of: quick) < 50, "no call waits for a deadline")
        }
    }

    @Test func theNetworkComesApart() async throws {
        try await withRedis { redis in
            let relay = try await LossyRelay()
            relay.lead(to: redis.port)
            let url = "redis://127.0.0.1:\(relay.port)"
            // An attempt that was on its way is given up after a second.
            _ = try await Self.drill("partition: packets are dropped for 2 s", redis, url: url, returnLimit: 5000) {
                fleet in
                relay.cut()
                try await fleet.load.flows(300, status: 503)
                try await Task.sleep(for: .seconds(2))
            } mends: {
                relay.mend()
            }
            try await relay.close()
        }
    }

    /// No caller notices.
    @Test func itForgetsItsScripts() async throws {
        try await withRedis { redis in
            let books = try await Self.drill("SCRIPT FLUSH, 50 times", redis) { fleet in
                for _ in 1...50 {
                    try await redis.ask("SCRIPT FLUSH")
                    try await fleet.load.flows(20)
                }
            } mends: {
            }
            #expect(books.refused().isEmpty)
        }
    }

    /// Every user begins anew, and no call fails.
    @Test func itForgetsAll() async throws {
        try await withRedis { redis in
            try await FaultFleet.run(url: redis.url) { fleet in
                let fault = FaultLoad.now
                try await redis.ask("FLUSHALL")
                let flushed = FaultLoad.now
                try await fleet.load.flows(1000)
                let books = try await fleet.close(losesNothing: false) { try await redis.counts(of: $0) }
                #expect(books.refused().isEmpty)
                FaultRow(
                    drill: "one Redis: FLUSHALL", books: books, fault: fault, mended: flushed,
                    memoryGrowth: try fleet.memoryGrowth
                ).write()
            }
        }
    }

    /// With `noeviction`, as it should be: nothing is admitted that cannot be counted, and nothing is counted of what is
    /// refused.
    @Test func itsMemoryIsFull() async throws {
        try await withRedis(extraArguments: ["--maxmemory-policy", "noeviction"]) { redis in
            var before: [Int] = []
            let books = try await Self.drill("maxmemory reached", redis) { fleet in
                try await redis.ask("CONFIG SET maxmemory 1")
                try await fleet.load.flows(300, status: 503)
                try await fleet.expectNotReady("OOM")
                before = try await redis.counts(of: fleet.users)
                try await fleet.load.flows(300, status: 503)
                let after = try await redis.counts(of: fleet.users)
                #expect(after == before)
            } mends: {
                try await redis.ask("CONFIG SET maxmemory 0")
            }
            #expect(books.counted == books.users.indices.map { books.admitted($0) })
        }
    }

    /// The disk of its append-only file, on a file system of a few hundred kilobytes that only root can make.
    @Test(.enabled(if: geteuid() == 0)) func itsDiskIsFull() async throws {
        try await withTemporaryDirectory { directory in
            let disk = directory + "/disk"
            try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
            try await Self.command("mount", ["-t", "tmpfs", "-o", "size=4m", "none", disk])
            do {
                let redis = try await RedisServerProcess.start(
                    directory: disk + "/redis", persistence: .appendOnly,
                    extraArguments: RedisUsers.serverArguments(
                        in: directory, ["--auto-aof-rewrite-percentage", "0"]))
                let ballast = disk + "/ballast"
                _ = try await Self.drill("disk full (appendfsync everysec)", redis) { fleet in
                    // As much as there is.
                    _ = try? await Self.command("dd", ["if=/dev/zero", "of=" + ballast, "bs=4096"])
                    try await fleet.load.flows(300, status: 503, within: .seconds(30))
                    try await fleet.expectNotReady("MISCONF")
                } mends: {
                    try FileManager.default.removeItem(atPath: ballast)
                    try await eventually("it writes again", within: .seconds(10)) {
                        try await redis.ask("INFO persistence").string?.contains("aof_last_write_status:ok") == true
                    }
                }
                await redis.stop()
            } catch {
                _ = try? await Self.command("umount", ["-l", disk])
                throw error
            }
            try await Self.command("umount", ["-l", disk])
        }
    }

    private static func command(_ name: String, _ arguments: [String]) async throws {
        let status = await (try ChildProcess.start(name, arguments)).wait()
        guard status == .exited(0) else { throw NeverHappened(description: "\(name): \(status)") }
    }

    /// Connections that stand go on; the ones that come later need the new password, and the workers say so.
    @Test func itsPasswordIsAnother() async throws {
        try await withRedis(extraArguments: ["--user", "gate", "on", ">old", "~*", "&*", "+@all"]) { redis in
            try await FaultFleet.run(url: "redis://gate:old@127.0.0.1:\(redis.port)") { fleet in
                let fault = FaultLoad.now
                // Both hold, then only the new one: as a rotation goes.
                try await redis.ask("ACL SETUSER gate >new")
                try await fleet.load.flows(300)
                try await redis.ask("ACL SETUSER gate <old")
                try await fleet.load.flows(300)
                let books = try await fleet.close(losesNothing: true) { try await redis.counts(of: $0) }
                #expect(books.refused().isEmpty, "connections that have logged in stay so")
                FaultRow(
                    drill: "one Redis: password rotated (ACL SETUSER)", books: books, fault: fault,
                    memoryGrowth: try fleet.memoryGrowth
                ).write()
            }
        }
    }
}
