import Hiredis
import RedisClient
import TestSupport
import Testing

/// Several workers on one Redis decide as one.
@Suite(.serialized) struct ConcurrencyTests {
    private static let plans = """
        plans:
          free: { quota: 500, ratePerMinute: 1000000 }
        """

    @Test func fourWorkersAdmitExactlyTheLimitTenTimesInARow() async throws {
        try await withFleet(workers: 4, plans: Self.plans, settings: Fleet.patience) { fleet in
            try await withRedisClient(fleet.redis.configuration) { redis in
                for round in 1...10 {
                    let user = "user_\(round)"
                    let statuses = try await statuses(of: 600, from: fleet, user: user, connections: 64)
                    #expect(statuses[200] == 500, "round \(round): \(statuses)")
                    #expect(statuses[403] == 100, "round \(round): \(statuses)")
                    let count = try await redis.send("HGET usage:{\(user)} usageCount").string
                    #expect(count == "500", "round \(round)")
                }
            }
        }
    }

    @Test func oneCommandAMeteredRequest() async throws {
        try await withFleet(workers: 1, plans: Self.plans, settings: Fleet.patience) { fleet in
            try await withRedisClient(fleet.redis.configuration) { redis in
                _ = try await statuses(of: 20, from: fleet, user: "warm", connections: 4)
                try await redis.send("CONFIG RESETSTAT")
                let statuses = try await statuses(of: 200, from: fleet, user: "user_abc", connections: 8)
                #expect(statuses == [200: 200])
                let scripts = try await redis.calls(of: "evalsha")
                #expect(scripts == 200)
                for command in ["eval", "script|load", "ping", "client|setname"] {
                    let calls = try await redis.calls(of: command)
                    #expect(calls == 0, "\(command)")
                }
            }
        }
    }

    /// `total` requests over `connections` callers who each send one after the other, spread over all workers.
    private func statuses(
        of total: Int, from fleet: Fleet, user: String, connections: Int
    ) async throws -> [Int: Int] {
        let token = try fleet.token(user)
        return try await withThrowingTaskGroup(of: [Int: Int].self) { group in
            for caller in 0..<connections {
                let worker = fleet.workers[caller % fleet.workers.count]
                let share = total / connections + (caller < total % connections ? 1 : 0)
                group.addTask {
                    var statuses: [Int: Int] = [:]
                    for _ in 0..<share {
                        statuses[try await HTTP.verify(token, port: worker.port).status, default: 0] += 1
                    }
                    return statuses
                }
            }
            return try await group.reduce(into: [:]) { all, some in all.merge(some, uniquingKeysWith: +) }
        }
    }
}
