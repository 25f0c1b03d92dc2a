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
                let statuses = try await statuses(of: 200, from: fleet, user: "user_abc", connections: 1)
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

    /// Requests of one caller that come together are decided on together, and each is told what it would be told alone.
    @Test func aBusyCallerTakesFewCommands() async throws {
        try await withFleet(workers: 4, plans: Self.busyPlans, settings: Fleet.patience) { fleet in
            let token = try fleet.token("user_busy")
            let (connections, requests) = (64, 20)
            let request = "GET /authorize HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(token)\r\n\r\n"
            let text = String(repeating: request, count: requests)
            var clients: [RawClient] = []
            for number in 0..<connections {
                clients.append(try await RawClient.connect(port: fleet.workers[number % 4].port))
            }
            let commands = try await RedisMonitor.commands(of: fleet.redis) {
                for client in clients { try await client.send(text) }
                for client in clients {
                    try await eventually("all answers") { client.text.ranges(of: "HTTP/1.1 ").count == requests }
                }
            }
            let told = clients.map { Self.remaining(in: $0.text) }
            for client in clients { try await client.close() }
            #expect(told.allSatisfy { $0 == $0.sorted(by: >) && Set($0).count == $0.count }, "each counts on")
            #expect(told.flatMap(\.self).sorted() == Array(0..<1000), "without a hole, and to the end")
            try await withRedisClient(fleet.redis.configuration) { redis in
                let count = try await redis.send("HGET usage:{user_busy} usageCount").string
                #expect(count == "1000")
            }
            // `EVALSHA`, the name, three keys, five arguments that many calls have in common, the cost, and the callers.
            let words = commands.map { $0.split(separator: "\" \"") }.filter { $0[0].hasSuffix("EVALSHA") }
            let decided = words.reduce(0) { $0 + (Int($1[12]) ?? 0) }
            #expect(decided == connections * requests, "each was asked for once")
            // How many come together the machine decides.
            #expect(words.count < decided, "\(words.count) calls for \(decided) requests")
        }
    }

    private static let busyPlans = """
        plans:
          free: { quota: 1000, ratePerMinute: 1000000 }
        """

    /// What the answers with 200 say of the calls that are left.
    private static func remaining(in text: String) -> [Int] {
        text.split(separator: "HTTP/1.1 ").filter { $0.hasPrefix("200") }.compactMap { answer in
            answer.split(separator: "\r\n").first { $0.hasPrefix("X-RateLimit-Remaining: ") }
                .flatMap { Int($0.drop { $0 != " " }.dropFirst()) }
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
