import Hiredis
import JSONValue
import NIOCore
import NIOPosix
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDataPlane
import TollgateDev
import TollgateStore

@testable import TollgateServer

/// The users who call most: counted in each worker, and kept in Redis.
@Suite struct TopUsersTests {
    private static func user(_ number: Int) throws -> UserID { try #require(UserID("user_\(number)")) }

    private static func counted(_ callers: HeavyCallers) -> [String: Int] {
        Dictionary(uniqueKeysWithValues: callers.calls.map { ($0.userID.value, $0.calls) })
    }

    @Test func fewCallersAreCountedExactly() throws {
        var callers = HeavyCallers(capacity: 8)
        #expect(callers.isEmpty)
        for number in 1...8 {
            for _ in 1...number { callers.count(try Self.user(number)) }
        }
        #expect(Self.counted(callers) == Dictionary(uniqueKeysWithValues: (1...8).map { ("user_\($0)", $0) }))
    }

    /// The promise: a user with more than one call in `capacity` is held, and none gets more calls than they made.
    @Test(arguments: [2, 7, 64, 1024])
    func heavyCallersAreNeverLost(capacity: Int) throws {
        var generator = SystemRandomNumberGenerator()
        let users = try (0..<5 * capacity).map(Self.user)
        var callers = HeavyCallers(capacity: capacity)
        var made: [UserID: Int] = [:]
        let total = 40 * capacity
        for _ in 0..<total {
            // A few call often, most now and then.
            let user = users[Int.random(in: 0..<Int.random(in: 1...users.count, using: &generator), using: &generator)]
            callers.count(user)
            made[user, default: 0] += 1
        }
        let counted = Self.counted(callers)
        #expect(counted.count == capacity)
        for (user, calls) in made where calls > total / capacity {
            #expect(counted[user.value] != nil, "\(user) made \(calls) of \(total)")
        }
        for (user, calls) in counted {
            let really = made[try #require(UserID(user))] ?? 0
            #expect(calls >= 1 && calls <= really, "\(user) made \(really)")
        }
    }

    @Test func aCallerAmongStrangersKeepsTheirCalls() throws {
        var callers = HeavyCallers(capacity: 16)
        for number in 1...3000 {
            callers.count(try Self.user(0))
            callers.count(try Self.user(number))
        }
        #expect(Self.counted(callers)["user_0"] == 3000)
    }

    @Test func countsOfAllThreadsAreTakenOnce() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let counts = CallerCounts(eventLoopGroup: group)
        let (first, second) = (try Self.user(1), try Self.user(2))
        for eventLoop in group.makeIterator() {
            try await eventLoop.submit { for _ in 1...5 { counts.count(first) } }.get()
        }
        counts.count(second)
        let loops = Array(group.makeIterator()).count
        #expect(
            counts.take() == [UserCalls(userID: first, calls: 5 * loops), UserCalls(userID: second, calls: 1)])
        #expect(counts.take().isEmpty)
        for number in 1...500 { counts.count(try Self.user(number)) }
        #expect(counts.take().count == CallerCounts.maximumTaken)
    }

    // MARK: In Redis

    @Test func theDayIsBoundedAndEnds() async throws {
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { redis in
                let top = RedisTopUsers(client: redis)
                let day = CalendarDay(year: 2026, month: 11, day: 25)
                for start in stride(from: 0, to: 1200, by: 100) {
                    try await top.add(
                        try (start..<start + 100).map { UserCalls(userID: try Self.user($0), calls: $0 + 1) }, on: day)
                }
                let kept = try await redis.send("ZCARD topusers:{2026-11-25}").integer
                #expect(kept == 1000)
                let ttl = try await redis.send("TTL topusers:{2026-11-25}").integer ?? 0
                #expect((172_700...172_800).contains(ttl))
                try await top.add([UserCalls(userID: try Self.user(0), calls: 9000)], on: day)
                let first = try await top.first(2, on: day)
                #expect(
                    first == [
                        UserCalls(userID: try Self.user(0), calls: 9000),
                        UserCalls(userID: try Self.user(1199), calls: 1200),
                    ])
                let none = try await top.first(5, on: CalendarDay(year: 2026, month: 11, day: 26))
                #expect(none.isEmpty)
            }
        }
    }

    /// The user that a key names is not believed without the secret: no call is counted for them.
    @Test func whoOnlyClaimsToBeAUserIsNotCounted() async throws {
        try await withObservedGateways { gateways in
            let key = try KeyedGateways.inventedKey(of: "user_victim")
            let refused = try await HTTP.send(
                "POST", "/verify-auth", port: gateways.port(), headers: [("X-API-Key", key)])
            #expect(refused.status == 401)
            try await gateways.verify("user_abc")
            try await eventually("the call is told of") {
                try await gateways.overview()["topUsers"]["users"].elements?.isEmpty == false
            }
            let users = try await gateways.overview()["topUsers"]["users"]
            #expect(users == [["userId": "user_abc", "calls": 1]])
        }
    }
}
