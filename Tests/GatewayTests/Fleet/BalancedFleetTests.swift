import Hiredis
import RedisClient
import Synchronization
import TestSupport
import Testing
import TollgateDev

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Three workers behind a real load balancer: one gateway, whatever becomes of any of them.
@Suite struct BalancedFleetTests {
    private static let endless = "plans:\n  free: { quota: 1000000000, ratePerMinute: 1000000000 }\n"

    @Test func limitsAreExactForAHundredUsersAtOnce() async throws {
        try await withFleet(workers: 3, settings: Fleet.patience) { fleet in
            try await Balancer.run(before: fleet.workers.map(\.backend)) { balancer in
                let counts = try await withThrowingTaskGroup(of: [Int: Int].self) { group in
                    for number in 0..<100 {
                        let token = try fleet.token("user_\(number)")
                        group.addTask { try await Self.statuses(of: 8, token: token, port: balancer.port) }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(counts.count == 100)
                for count in counts { #expect(count == [200: 5, 403: 3]) }
            }
        }
    }

    /// The operator sees all workers at one address, and nothing else of their admin ports.
    @Test func theOverviewShowsEveryWorker() async throws {
        try await withFleet(workers: 2) { fleet in
            try await Balancer.run(before: fleet.workers.map(\.backend)) { balancer in
                try await eventually("both workers have told of themselves") {
                    let overview = try await HTTP.get("/overview.json", port: balancer.overviewPort)
                    return fleet.workers.allSatisfy { overview.body.contains("127.0.0.1:\($0.port)") }
                }
                let page = try await HTTP.get("/overview", port: balancer.overviewPort)
                #expect(page.status == 200 && page.body.contains("<title>"))
                let user = try await HTTP.get("/explain/user_nobody", port: balancer.overviewPort)
                #expect(user.status == 404 && user.member("code") == "user-not-found")
                for path in ["/metrics", "/livez", "/readyz"] {
                    let answer = try await HTTP.get(path, port: balancer.overviewPort)
                    #expect(answer.status == 404, "\(path)")
                }
            }
        }
    }

    /// All of a user's calls at once.
    private static func statuses(of calls: Int, token: String, port: Int) async throws -> [Int: Int] {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<calls { group.addTask { try await HTTP.verify(token, port: port).status } }
            return try await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        }
    }

    /// Killed workers take requests with them that were being answered; nothing else, and no count.
    @Test func killedWorkersLoseNoCount() async throws {
        let limit = 1000
        let plans = "plans:\n  free: { quota: \(limit), ratePerMinute: 1000000000 }\n"
        try await withFleet(workers: 3, plans: plans, settings: Fleet.patience) { fleet in
            try await Crew.run(fleet.workers, environment: fleet.environment) { crew in
                try await Balancer.run(before: fleet.workers.map(\.backend)) { balancer in
                    let load = Load(users: try (0..<8).map { try fleet.token("user_\($0)") }, port: balancer.port)
                    try await load.run {
                        for index in [0, 1, 2, 0] {
                            let before = load.answered
                            try await eventually("requests flow") { load.answered > before + 200 }
                            await crew.kill(index)
                            try await crew.restart(index)
                        }
                        try await eventually("every user is out of calls", within: .seconds(120)) {
                            load.isRefusedEnough
                        }
                    }
                    #expect(load.count(of: 403) > 0)
                    try await withRedisClient(fleet.redis.configuration) { redis in
                        for user in 0..<8 {
                            let counted = try await redis.send("HGET usage:{user_\(user)} usageCount").string ?? ""
                            #expect(counted == "\(limit)")
                            let admitted = load.count(of: 200, user: user)
                            let lost = load.lost(user: user)
                            #expect(admitted <= limit, "none above the limit")
                            #expect(admitted + lost >= limit, "\(limit - admitted) admissions, \(lost) lost answers")
                        }
                    }
                }
            }
        }
    }

    @Test(arguments: [Balancer.Program.haproxy, .caddy, .traefik, .envoy])
    func workersAreRolledWithoutAFailedRequest(program: Balancer.Program) async throws {
        try await Self.roll(behind: program) { load, counted in
            #expect(load.statuses == [200: load.answered])
            #expect(load.lost == 0)
            for user in 0..<8 { #expect(counted[user] == load.count(of: 200, user: user)) }
        }
    }

    /// nginx cannot ask which workers are ready: what meets a closing port is lost. But nothing is counted twice.
    @Test func nginxRepeatsNothingThatAWorkerMayHaveCounted() async throws {
        try await Self.roll(behind: .nginx) { load, counted in
            let lost = load.lost + load.count(of: 503)
            #expect(load.answered + load.lost == load.count(of: 200) + lost, "\(load.statuses)")
            #expect(lost <= 3 * Load.callersPerUser * 8, "at most one for each caller and worker")
            for user in 0..<8 {
                let admitted = load.count(of: 200, user: user)
                let mayBeCounted = admitted + load.lost(user: user) + load.count(of: 503, user: user)
                #expect((admitted...mayBeCounted).contains(counted[user]))
            }
        }
    }

    /// Ends and starts three workers one by one under load.
    ///
    /// - Parameter check: Told what became of the load, and the calls that were counted for each user.
    private static func roll(
        behind program: Balancer.Program, _ check: (Load, [Int]) async throws -> Void
    ) async throws {
        try await withFleet(
            workers: 3, plans: endless, settings: Fleet.patience.merging(["TOLLGATE_DRAIN_SECONDS": "2"]) { $1 },
            addressesOfTheirOwn: true
        ) { fleet in
            try await Crew.run(fleet.workers, environment: fleet.environment) { crew in
                try await Balancer.run(program, before: fleet.workers.map(\.backend)) { balancer in
                    let load = Load(
                        users: try (0..<8).map { try fleet.token("user_\($0)") }, port: balancer.port,
                        pause: .milliseconds(10))
                    try await load.run {
                        for index in 0..<3 {
                            let before = load.answered
                            try await eventually("requests flow") { load.answered > before + 200 }
                            await crew.end(index)
                            try await crew.restart(index)
                            // The balancer takes a worker in when its check says so.
                            let after = load.answered
                            try await eventually("requests flow") { load.answered > after + 200 }
                        }
                    }
                    try await withRedisClient(fleet.redis.configuration) { redis in
                        var counted: [Int] = []
                        for user in 0..<8 {
                            let text = try await redis.send("HGET usage:{user_\(user)} usageCount").string ?? ""
                            counted.append(try #require(Int(text)))
                        }
                        try await check(load, counted)
                    }
                }
            }
        }
    }
}

/// Users who call again and again, and what they were answered.
private final class Load: Sendable {
    static let callersPerUser = 2

    private struct Tally {
        var statuses: [Int: Int] = [:]
        var lost = 0
    }

    private let tokens: [String]
    private let port: Int
    private let pause: Duration
    private let tallies: Mutex<[Tally]>
    private let isOver = Atomic<Bool>(false)

    /// - Parameter pause: Of each caller, between an answer and the next call.
    init(users tokens: [String], port: Int, pause: Duration = .zero) {
        self.tokens = tokens
        self.port = port
        self.pause = pause
        tallies = Mutex(Array(repeating: Tally(), count: tokens.count))
    }

    /// Calls all the while that `body` runs. For each user one caller sends POSTs, another GETs.
    func run(_ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<(Self.callersPerUser * tokens.count) {
                group.addTask {
                    await self.call(
                        user: caller % self.tokens.count, sendsGET: caller >= self.tokens.count)
                }
            }
            do {
                try await body()
            } catch {
                isOver.store(true, ordering: .relaxed)
                throw error
            }
            isOver.store(true, ordering: .relaxed)
            try await group.waitForAll()
        }
    }

    private func call(user: Int, sendsGET: Bool) async {
        let headers = [("Authorization", "Bearer \(tokens[user])")]
        let (method, path) = sendsGET ? ("GET", "/authorize") : ("POST", "/verify-auth")
        while !isOver.load(ordering: .relaxed) {
            let status = try? await HTTP.send(method, path, port: port, headers: headers).status
            tallies.withLock { tallies in
                // A balancer whose worker went away says so with 502.
                if let status, status != 502, status != 504 {
                    tallies[user].statuses[status, default: 0] += 1
                } else {
                    tallies[user].lost += 1
                }
            }
            if pause > .zero { try? await Task.sleep(for: pause) }
        }
    }

    var statuses: [Int: Int] {
        tallies.withLock { $0.reduce(into: [:]) { $0.merge($1.statuses, uniquingKeysWith: +) } }
    }
    var answered: Int { statuses.values.reduce(0, +) }
    var lost: Int { tallies.withLock { $0.reduce(0) { $0 + $1.lost } } }
    var isRefusedEnough: Bool { tallies.withLock { $0.allSatisfy { $0.statuses[403, default: 0] >= 10 } } }

    func count(of status: Int) -> Int { statuses[status] ?? 0 }
    func count(of status: Int, user: Int) -> Int { tallies.withLock { $0[user].statuses[status] ?? 0 } }
    func lost(user: Int) -> Int { tallies.withLock { $0[user].lost } }
}
