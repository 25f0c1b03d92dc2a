import Hiredis
import NIOCore
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Four workers under load on a Redis that is about to be broken.
struct FaultFleet {
    static let workerCount = 4
    static let smallQuota = 60
    static let slowRate = 40

    /// Both are beyond what any test reaches.
    private static let endless = 1_000_000_000

    private static let plans = """
        plans:
          free: { quota: \(endless), ratePerMinute: \(endless) }
          small: { quota: \(smallQuota), ratePerMinute: \(endless) }
          slow: { quota: \(endless), ratePerMinute: \(slowRate) }
        """

    let workers: [Worker]
    let users: [FaultUser]
    let load: FaultLoad
    private let pids: [Int]
    private let memoryBefore: [Int]

    /// Starts the workers and the load, runs `body` when both go well, and ends them.
    ///
    /// - Parameters:
    ///   - url: Of Redis.
    ///   - names: Of further users, beside those with small limits.
    static func run<Result>(
        isolation: isolated (any Actor)? = #isolation, url: String, names: [String] = Self.names(24),
        settings: [String: String] = [:], _ body: (FaultFleet) async throws -> Result
    ) async throws -> Result {
        try await withWorkers(workerCount, redisURL: url, yaml: plans, settings: settings) { workers, identity in
            for worker in workers { try await worker.becomesReady() }
            let users = try users(names, identity)
            let load = FaultLoad(users: users, ports: workers.map(\.port))
            do {
                try await load.flows(1000, within: .seconds(30))
                let fleet = FaultFleet(
                    workers: workers, users: users, load: load, pids: workers.map { Int($0.process.pid) },
                    memoryBefore: try workers.map(memory))
                return try await body(fleet)
            } catch {
                _ = try? await load.stop()
                throw error
            }
        }
    }

    static func names(_ count: Int) -> [String] { (0..<count).map { "user_\($0)" } }

    private static func users(_ names: [String], _ identity: DevelopmentIdentity) throws -> [FaultUser] {
        let now = SystemClock().now()
        func user(_ name: String, _ plan: String, quota: Int, ratePerMinute: Int) throws -> FaultUser {
            let token = try identity.token(user: name, plan: plan, now: now)
            return FaultUser(name: name, token: token, quota: quota, ratePerMinute: ratePerMinute)
        }
        return try names.map { try user($0, "free", quota: endless, ratePerMinute: endless) }
            + (0..<6).map { try user("small_\($0)", "small", quota: smallQuota, ratePerMinute: endless) }
            + (0..<6).map { try user("slow_\($0)", "slow", quota: endless, ratePerMinute: slowRate) }
    }

    /// What the worker has resident, in bytes.
    private static func memory(_ worker: Worker) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(worker.process.pid)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        let kilobytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
        return try #require(kilobytes) * 1024
    }

    /// Ends the load, and compares what it was answered with what `client` finds in Redis.
    ///
    /// - Parameter losesNothing: Redis keeps all that it has acknowledged.
    func close(
        losesNothing: Bool, sourceLocation: SourceLocation = #_sourceLocation,
        counting count: ([FaultUser]) async throws -> [Int]
    ) async throws -> FaultBooks {
        let answers = try await load.stop()
        let books = FaultBooks(users: users, answers: answers, counted: try await count(users))
        books.expectToAgree(losesNothing: losesNothing, sourceLocation: sourceLocation)
        for (worker, pid) in zip(workers, pids) {
            #expect(worker.process.exitStatus == nil && Int(worker.process.pid) == pid, sourceLocation: sourceLocation)
        }
        let growth = try memoryGrowth
        #expect(growth < 64 << 20, "\(growth) bytes more in a worker", sourceLocation: sourceLocation)
        return books
    }

    /// Expects that all workers tell the load balancer that they cannot serve, and you `reason`.
    func expectNotReady(_ reason: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        for worker in workers {
            let ready = try await HTTP.get("/readyz", port: worker.adminPort)
            #expect(ready.status == 503 && ready.body.contains(reason), "\(ready)", sourceLocation: sourceLocation)
        }
    }

    /// By how much the worker has grown that has grown most, in bytes.
    var memoryGrowth: Int {
        get throws { zip(try workers.map(Self.memory), memoryBefore).map { $0 - $1 }.max() ?? 0 }
    }
}

extension RedisClient {
    /// How many calls of each user stand in Redis.
    func counts(of users: [FaultUser]) async throws -> [Int] {
        var counts: [Int] = []
        for user in users {
            counts.append(try await send("HGET usage:{\(user.name)} usageCount").string.flatMap { Int($0) } ?? 0)
        }
        return counts
    }
}

extension RedisServerProcess {
    func counts(of users: [FaultUser]) async throws -> [Int] {
        try await withRedisClient(inspectorConfiguration) { try await $0.counts(of: users) }
    }

    /// One command, written as in redis-cli.
    @discardableResult
    func ask(_ line: String) async throws -> RedisReply {
        try await withRedisClient(inspectorConfiguration) { try await $0.send(line) }
    }

    /// What a server that was killed has kept: how many calls of each user it had acknowledged. No worker sees it, for
    /// it is read at another port.
    func keptCounts(of users: [FaultUser]) async throws -> [Int] {
        let directory = String(logPath.dropLast("/redis.log".count))
        let copy = try await RedisServerProcess.start(
            directory: directory, persistence: .appendOnly, extraArguments: ["--appendfsync", "no"])
        do {
            let counts = try await copy.counts(of: users)
            await copy.stop()
            return counts
        } catch {
            await copy.stop()
            throw error
        }
    }

    /// Arguments of a server that writes each change to its file before it acknowledges it. It may leave it to the system
    /// when that comes to the disk: a server that is killed loses nothing of it.
    static let keepsAll = ["--appendonly", "yes", "--appendfsync", "no"]
}
