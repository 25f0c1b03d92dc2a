import Hiredis
import JSONValue
import RedisClient
import Synchronization
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

/// A redis-server and workers, each with a wall clock of its own. None of them shows the time of this machine.
final class ClockedFleet: Sendable {
    let redis: RedisServerProcess

    /// The clock that all are to go by.
    let redisClock: ProgramClock

    /// What it showed at first.
    let began: UnixTime

    private let client: RedisClient
    private let identity: DevelopmentIdentity
    private let directory: String
    private let library: String
    private let started = Mutex<[ClockedWorker]>([])

    fileprivate init(
        redis: RedisServerProcess, redisClock: ProgramClock, client: RedisClient, directory: String, library: String
    ) throws {
        self.redis = redis
        self.redisClock = redisClock
        self.client = client
        self.directory = directory
        self.library = library
        began = redisClock.now()
        identity = try DevelopmentIdentity.shared()
    }

    var workers: [ClockedWorker] { started.withLock(\.self) }

    /// Starts one more worker, on a machine whose clock is so far ahead of Redis'. Returns when its ports are open, whether
    /// or not it is ready: its first moments matter here.
    @discardableResult
    func start(aheadSeconds: Int64) async throws -> ClockedWorker {
        let clock = try ProgramClock(path: "\(directory)/worker-\(workers.count).clock")
        clock.set(aheadSeconds: aheadSeconds, of: redisClock)
        var environment = Worker.environment(redisURL: redis.url, identity: identity)
        environment["TOLLGATE_CONFIG"] = directory + "/tollgate.yaml"
        environment.merge(ClockShim.environment(library: library, clock: clock)) { $1 }
        let worker = ClockedWorker(try await Worker.start(environment: environment), clock: clock)
        started.withLock { $0.append(worker) }
        return worker
    }

    fileprivate func end() async {
        for worker in workers { await worker.process.terminate() }
    }

    // MARK: Tokens

    /// A token as Clerk gives it: made now, by Redis' clock, for a minute.
    func token(_ user: String = "user_abc") throws -> String {
        try identity.token(user: user, plan: "free", now: redisClock.now(), lifetimeSeconds: 60)
    }

    /// A token that is good by every clock of a test that sets that of Redis: from some hours before its beginning to
    /// months after.
    func longToken(_ user: String = "user_abc") throws -> String {
        try identity.token(
            user: user, plan: "free", now: began.adding(seconds: -6 * 3600), lifetimeSeconds: 90 * 86_400)
    }

    // MARK: Calls

    /// How many calls of `user` pass, by all workers in turn, until the quota refuses one; then it does so everywhere.
    func callsUntilQuota(of user: String, atMost limit: Int = 30) async throws -> Int {
        let token = try longToken(user)
        for count in 0...limit {
            let answer = try await HTTP.verify(token, port: workers[count % workers.count].port)
            guard answer.status != 200 else { continue }
            for worker in workers {
                let refusal = try await HTTP.verify(token, port: worker.port)
                try #require(refusal.status == 403 && refusal.body.contains("quota-exceeded"), "\(refusal.body)")
            }
            return count
        }
        return limit + 1
    }

    /// Makes so many calls of `user`, which must pass, by all workers in turn.
    func call(_ user: String, times: Int) async throws {
        let token = try longToken(user)
        for count in 0..<times {
            let answer = try await HTTP.verify(token, port: workers[count % workers.count].port)
            try #require(answer.status == 200, "\(answer.body)")
        }
    }

    /// A key of `user`, made by the first worker.
    func madeKey(_ body: String = #"{"name":"CI"}"#, of user: String) async throws -> String {
        let answer = try await HTTP.send(
            "POST", "/keys", port: workers[0].port, headers: [("Authorization", "Bearer \(try token(user))")],
            body: body)
        try #require(answer.status == 201, "\(answer.body)")
        return try #require(answer.member("key"))
    }

    // MARK: What stands in Redis

    /// The reply to one command, also when the connection has to be made anew.
    func ask(_ line: String) async throws -> RedisReply {
        var reply: RedisReply?
        try await eventually("Redis answers to \(line)") {
            reply = try? await client.send(line)
            return reply != nil
        }
        return try #require(reply)
    }

    func names(_ pattern: String) async throws -> Set<String> {
        Set(try await ask("KEYS \(pattern)").array?.compactMap(\.string) ?? [])
    }

    /// The fields of a hash.
    func fields(_ key: String) async throws -> [String: String] {
        let words = try await ask("HGETALL \(key)").array?.compactMap(\.string) ?? []
        return Dictionary(
            stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) }, uniquingKeysWith: { $1 })
    }

    /// What a user has used on a day, by all routes.
    func usedCalls(of user: String, on day: String) async throws -> Int {
        let prefix = "\(day.suffix(2))/"
        return try await fields("usage:{\(user)}:\(day.dropLast())").filter { $0.key.hasPrefix(prefix) }
            .values.compactMap { Int($0) }.reduce(0, +)
    }

    /// How often Redis was asked for its time.
    func timesAsked() async throws -> Int { try await client.calls(of: "time") }

    /// Whether `moment` lies between `start`, which is the fleet's unless told otherwise, and now by Redis' clock.
    func isOfRedis(_ moment: String?, since start: UnixTime? = nil) -> Bool {
        guard let moment = moment.flatMap({ UnixTime(iso8601: $0) }) else { return false }
        // Half a round trip may be wrong, and seconds are whole.
        return ((start ?? began).seconds - 1...redisClock.now().seconds + 1).contains(moment.seconds)
    }

    /// That all that Redis holds of `user` was written by Redis' own clock.
    ///
    /// - Parameters:
    ///   - start: When the first call came.
    ///   - day: The one that all calls fell into.
    func expectRecord(of user: String, used: Int, since start: UnixTime? = nil, on day: String) async throws {
        let record = try await fields("usage:{\(user)}")
        #expect(record["usageCount"] == "\(used)", "\(record)")
        #expect(record["periodStart"] == "\(day.prefix(7))-01", "\(record)")
        #expect(record["previousPeriodStart"] == nil, "\(record)")
        #expect(isOfRedis(record["lastUpdated"], since: start), "\(record)")
        let names = try await names("usage:{\(user)}*")
        #expect(names == ["usage:{\(user)}", "usage:{\(user)}:\(day.dropLast())"])
        #expect(try await usedCalls(of: user, on: day) == used)
        let minutes = (start ?? began).seconds / 60...redisClock.now().seconds / 60
        let counters = try await self.names("ratelimit:{\(user)}:*")
        #expect(counters.isSubset(of: minutes.map { "ratelimit:{\(user)}:\($0)" }) && !counters.isEmpty, "\(counters)")
    }
}

/// A worker on a machine with a clock of its own.
struct ClockedWorker: Sendable {
    let clock: ProgramClock
    private let worker: Worker
    private let log: Log

    fileprivate init(_ worker: Worker, clock: ProgramClock) {
        self.worker = worker
        self.clock = clock
        log = Log(worker)
    }

    var port: Int { worker.port }
    var adminPort: Int { worker.adminPort }
    var process: ChildProcess { worker.process }

    /// All that it has written so far.
    var lines: [String] { log.lines.withLock(\.self) }

    private final class Log: Sendable {
        let lines: Mutex<[String]>

        init(_ worker: Worker) {
            lines = Mutex(worker.firstLines)
            Task { for await line in worker.process.lines { lines.withLock { $0.append(line) } } }
        }
    }

    func isReady() async throws {
        try await eventually("the worker is ready") { try await HTTP.get("/readyz", port: adminPort).status == 200 }
    }

    /// Makes a call with each of `credentials`, again for as long as the worker says that it cannot serve yet. That is all
    /// that it may say instead.
    func admits(_ credentials: [[(String, String)]]) async throws {
        for headers in credentials {
            try await eventually("the call is admitted") {
                let answer = try await HTTP.send("POST", "/verify-auth", port: port, headers: headers)
                let comesLater = answer.status == 503 && answer.headers["retry-after"] != nil
                try #require(answer.status == 200 || comesLater, "\(answer.status) \(answer.body)")
                return answer.status == 200
            }
        }
    }

    func admits(tokens: [String]) async throws { try await admits(tokens.map { [("Authorization", "Bearer \($0)")] }) }

    func overview() async throws -> JSON {
        let answer = try await HTTP.get("/overview.json", port: adminPort)
        try #require(answer.status == 200, "\(answer.body)")
        return try #require(JSON(parsing: answer.body.utf8))
    }

    /// `tollgate_clock_ahead_seconds`.
    func aheadSeconds() async throws -> Double? {
        let name = "tollgate_clock_ahead_seconds "
        return try await HTTP.get("/metrics", port: adminPort).body.split(separator: "\n")
            .first { $0.hasPrefix(name) }.flatMap { Double($0.dropFirst(name.count)) }
    }
}

/// Runs `body` with a redis-server whose clock shows 2025-11-28T12:00:05Z, two and a half days before the end of a month
/// and early in a minute.
///
/// - Parameters:
///   - file: The workers' `tollgate.yaml`.
///   - workersAhead: How many seconds the machine of each worker is ahead of Redis'. They are ready when `body` begins.
func withClockedFleet(
    isolation: isolated (any Actor)? = #isolation, file: String = RouteFile.generousPlans, workersAhead: [Int64],
    _ body: (ClockedFleet) async throws -> Void
) async throws {
    try await withTemporaryDirectory { directory in
        let library = try await ClockShim.install(in: directory)
        try file.write(toFile: directory + "/tollgate.yaml", atomically: true, encoding: .utf8)
        let clock = try ProgramClock(path: directory + "/redis.clock")
        clock.set(to: UnixTime(seconds: 1_764_331_205))
        let redis = try await RedisServerProcess.start(
            directory: directory + "/redis", extraArguments: try RedisUsers.serverArguments(in: directory),
            environment: ClockShim.environment(library: library, clock: clock))
        do {
            try await withRedisClient(redis.patientConfiguration) { client in
                let fleet = try ClockedFleet(
                    redis: redis, redisClock: clock, client: client, directory: directory, library: library)
                do {
                    for seconds in workersAhead { try await fleet.start(aheadSeconds: seconds).isReady() }
                    try await body(fleet)
                } catch {
                    await fleet.end()
                    throw error
                }
                await fleet.end()
            }
        } catch {
            await redis.stop()
            throw error
        }
        await redis.stop()
    }
}
