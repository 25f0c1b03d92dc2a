import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// Which workers are alive, as Redis knows it.
@Suite struct FleetStoreTests {
    private static let time = KeyGateway.time

    private static func report(_ id: String, after seconds: Int64 = 0) -> WorkerReport {
        WorkerReport(
            identity: WorkerIdentity(id: id, version: "1", host: "h", processID: 1, startedAt: time),
            seenAt: time.adding(seconds: seconds), address: "127.0.0.1:8080", traffic: .none, isDraining: false)
    }

    private func withFleet(_ body: (RedisFleetStore, RedisClient) async throws -> Void) async throws {
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                try await body(RedisFleetStore(client: client), client)
            }
        }
    }

    @Test func workersAreAliveUntilTheirReportIsOld() async throws {
        try await withFleet { fleet, _ in
            for id in ["a", "b"] { try await fleet.write(Self.report(id)) }
            #expect(try await fleet.ids(at: Self.time).sorted() == ["a", "b"])
            #expect(try await fleet.workers(at: Self.time.adding(seconds: 15)).count == 2)
            try await fleet.write(Self.report("a", after: 10))
            #expect(try await fleet.ids(at: Self.time.adding(seconds: 16)) == ["a"])
            try await fleet.remove("a")
            #expect(try await fleet.ids(at: Self.time).sorted() == ["b"])
        }
    }

    /// Its report takes no other out of the index, and it is not taken for one of those that go by the right time.
    @Test(arguments: [Int64(60), 3500, -3500]) func aWorkerWithAnotherClockDisturbsNobody(seconds: Int64) async throws {
        try await withFleet { fleet, _ in
            for id in ["a", "b"] { try await fleet.write(Self.report(id)) }
            try await fleet.write(Self.report("other", after: seconds))
            #expect(try await fleet.ids(at: Self.time).sorted() == ["a", "b"])
            #expect(try await fleet.workers(at: Self.time).map(\.identity.id).sorted() == ["a", "b"])
            try await fleet.write(Self.report("a", after: 5))
            #expect(try await fleet.ids(at: Self.time.adding(seconds: 5)).sorted() == ["a", "b"])
        }
    }

    @Test func whatIsFarFromNowIsForgotten() async throws {
        try await withFleet { fleet, client in
            for seconds in [Int64(-3601), 3601, -3600, 3600] {
                try await client.send("ZADD workers \(Self.time.seconds + seconds) w\(seconds)")
            }
            try await fleet.write(Self.report("a"))
            let names = try await client.send("ZRANGE workers 0 -1").array?.compactMap(\.string)
            #expect(names == ["w-3600", "a", "w3600"])
        }
    }

    @Test func ofManyThoseSeenLastAreToldOfAndAllAreCounted() async throws {
        try await withFleet { fleet, client in
            for number in 0..<300 {
                try await client.send("ZADD workers \(Self.time.seconds - (number < 100 ? 10 : 0)) w\(number)")
            }
            try await fleet.write(Self.report("a"))
            #expect(try await fleet.ids(at: Self.time).count == 301)
            let early = Set((0..<100).map { "w\($0)" })
            let told = try await client.send(
                "ZRANGE workers \(Self.time.seconds + 15) \(Self.time.seconds - 15) BYSCORE REV LIMIT 0 256")
            #expect(early.intersection(told.array?.compactMap(\.string) ?? []).count == 256 - 201)
            #expect(
                try await fleet.workers(at: Self.time).map(\.identity.id) == ["a"], "of the others there is nothing")
        }
    }
}
