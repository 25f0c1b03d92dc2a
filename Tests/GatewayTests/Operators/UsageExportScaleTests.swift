import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What operators ask of very many users: `tollgate usage export` at constant memory, and the first page of the list.
///
/// `TOLLGATE_EXPORT_USERS=100000` exports so many, and a tenth of them to compare the memory; `TOLLGATE_LISTED_USERS=1000000`
/// lists some of so many. How long it has taken is printed.
@Suite(.timeLimit(.minutes(30)), .tags(.measuresTime)) struct UsageExportScaleTests {
    private static func number(_ name: String) -> Int? {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
    }

    /// Of memory that may vary from run to run, in bytes.
    private static let toleranceBytes = 8 << 20

    /// Each user has called two routes on five days, and was refused on one.
    private static let fill = RedisScript(
        source: """
            for number = ARGV[1], ARGV[2] - 1 do
              local user = 'user_' .. string.format('%027d', number)
              redis.call('ZADD', 'users', 1764000000 + math.floor(number / 100), user)
              if ARGV[3] == '1' then
                local key = 'usage:{' .. user .. '}:2025-11-'
                redis.call('HSET', key .. '0', '02/search', 1, '02/export', 2, '07/search', 3, '07/export', 4)
                redis.call('HSET', key .. '1', '13/search', 5, '13/export', 6, '13!quota-exceeded', 7)
                redis.call('HSET', key .. '2', '20/search', 8, '20/export', 9, '24/search', 10, '24/export', 11)
              end
            end
            """)
    private static let rowsOfUser = 11

    private static func fill(_ client: RedisClient, _ count: Int, withUsage: Bool) async throws {
        for start in stride(from: 0, to: count, by: 1000) {
            let words = ["\(start)", "\(min(count, start + 1000))", withUsage ? "1" : "0"]
            _ = try await client.run(RedisScript.Call(Self.fill, keys: [], arguments: words))
        }
    }

    @Test func manyAreExportedAtConstantMemory() async throws {
        guard let count = Self.number("TOLLGATE_EXPORT_USERS") else {
            _ = try await Self.export(1200)
            return
        }
        let few = try await Self.export(count / 10)
        let many = try await Self.export(count)
        #expect(many <= few + Self.toleranceBytes, "\(few >> 10) KB for a tenth, \(many >> 10) KB for all")
    }

    /// - Returns: The most memory that the command had resident, in bytes.
    private static func export(_ count: Int) async throws -> Int {
        let identity = try DevelopmentIdentity.shared()
        var peak = 0
        try await withRedis { redis in
            try await withRedisClient(redis.patientConfiguration) { try await Self.fill($0, count, withUsage: true) }
            let environment = Worker.environment(redisURL: redis.url, identity: identity)
            for format in ["csv", "json"] {
                let found = try await timed {
                    let process = try ChildProcess.start(
                        Worker.program, ["usage", "export", "--month", "2025-11", "--format", format],
                        environment: environment, output: .lines)
                    async let peak = process.highestResidentPeak()
                    var (rows, users): (Int, Set<Substring>) = (0, [])
                    for await line in process.lines {
                        guard let name = line.firstRange(of: "user_") else { continue }
                        rows += 1
                        users.insert(line[name.lowerBound...].prefix("user_".utf8.count + 27))
                    }
                    #expect(await process.wait() == .exited(0))
                    #expect(rows == count * rowsOfUser && users.count == count)
                    return await peak
                }
                peak = max(peak, found.result)
                let (seconds, megabytes) = ((found.duration / .seconds(1) * 10).rounded() / 10, found.result >> 20)
                print("\(count) users, \(format): \(seconds) s, \(megabytes) MB")
            }
        }
        return peak
    }

    @Test func theFirstPageOfManyIsListed() async throws {
        let count = Self.number("TOLLGATE_LISTED_USERS") ?? 5000
        try await withMarket { market in
            try await withRedisClient(market.redis.patientConfiguration) {
                try await Self.fill($0, count, withUsage: false)
            }
            for _ in 0..<3 {
                let found = try await timed { try await market.admin("GET", "users") }
                #expect(found.result.json["total"].integer == Int64(count))
                #expect(found.result.json["users"].elements?.count == 100)
                print("\(count) users, first page: \((found.duration / .milliseconds(1)).rounded()) ms")
            }
        }
    }
}

extension ChildProcess {
    /// The most memory that it has had resident, in bytes. Looks until it is gone.
    fileprivate func highestResidentPeak() async -> Int {
        var peak = 0
        while let now = residentPeak() {
            peak = max(peak, now)
            try? await Task.sleep(for: .milliseconds(20))
        }
        return peak
    }
}
