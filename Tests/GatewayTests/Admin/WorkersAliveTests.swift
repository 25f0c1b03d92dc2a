import Hiredis
import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

/// Which workers are told of, and from when to when.
@Suite struct WorkersAliveTests {
    @Test func allWorkersAreSeenByEachOfThem() async throws {
        try await withObservedGateways(2) { gateways in
            try await Self.seeAll(gateways)
            for gateway in 0...1 {
                let overview = try await gateways.overview(of: gateway)
                let own = overview["workers"].elements?.first { $0["id"] == overview["worker"] }
                #expect(own?["address"].string == "127.0.0.1:\(gateways.port(gateway))")
            }
            let worker = try #require(try await gateways.workers().first)
            #expect(worker["version"].string == Version.current)
            #expect(worker["startedAt"].string == "2025-11-26T23:00:00Z")
            #expect(worker["isDraining"] == false)
            #expect(worker["host"].string?.isEmpty == false)
            #expect(worker["pid"].integer ?? 0 > 0)
        }
    }

    /// Waits until every worker has reported, and sees the others.
    private static func seeAll(_ gateways: ObservedGateways) async throws {
        let addresses = [0, 1].map { "127.0.0.1:\(gateways.port($0))" }.sorted()
        try await eventually("both have reported") {
            try await withRedisClient(gateways.redis.configuration) { redis in
                try await redis.send("KEYS worker:{[0-9a-f]*}").array?.count == 2
            }
        }
        for gateway in 0...1 {
            try await eventually("both workers are seen") {
                try await gateways.addresses(by: gateway).sorted() == addresses
            }
        }
    }

    /// The report is what a person reads with redis-cli.
    @Test func aReportCanBeReadInRedisAndEndsByItself() async throws {
        try await withObservedGateways { gateways in
            let id = try #require(try await gateways.workers().first?["id"].string)
            let request = try await gateways.send("GET", "/usage", as: "user_abc")
            #expect(request.headers["x-request-id"]?.hasPrefix("\(id)-") == true)
            try await withRedisClient(gateways.redis.configuration) { redis in
                try await eventually("it has reported") { try await redis.send("ZCARD workers").integer == 1 }
                let seen = try await redis.send("HMGET worker:{\(id)} id seenAt draining refused admitted").array
                #expect(
                    seen?.map(\.string) == [id, "2025-11-26T23:00:00Z", "no", "", "0"])
                let ttl = try await redis.send("TTL worker:{\(id)}").integer ?? 0
                #expect((1...15).contains(ttl))
                let index = try await redis.send("ZRANGE workers 0 -1 WITHSCORES").array?.map(\.string)
                #expect(index == [id, "1764198000"])
            }
        }
    }

    @Test func aWorkerThatStopsIsGoneAtOnce() async throws {
        try await withObservedGateways(2) { gateways in
            try await Self.seeAll(gateways)
            await gateways.stop(1)
            let left = try await gateways.addresses()
            #expect(left == ["127.0.0.1:\(gateways.port(0))"])
            try await withRedisClient(gateways.redis.configuration) { redis in
                let keys = try await redis.send("KEYS worker:{[0-9a-f]*}").array?.count
                #expect(keys == 1)
            }
        }
    }

    @Test func aWorkerThatDiesIsMissedAfterItsReportHasEnded() async throws {
        try await withObservedGateways(2) { gateways in
            try await Self.seeAll(gateways)
            await gateways.kill(1)
            let before = try await gateways.addresses()
            #expect(before.count == 2, "the others do not know yet")
            gateways.time.advance(seconds: 16)
            let left = try await gateways.addresses()
            #expect(left == ["127.0.0.1:\(gateways.port(0))"])
            try await withRedisClient(gateways.redis.configuration) { redis in
                gateways.time.advance(seconds: 3600)
                try await eventually("the index forgets it as well") {
                    try await redis.send("ZCARD workers").integer == 1
                }
            }
        }
    }

    @Test func aDrainingWorkerSaysSo() async throws {
        try await withFleet(workers: 2, settings: ["TOLLGATE_DRAIN_SECONDS": "5"]) { fleet in
            func isDraining() async throws -> [Bool] {
                let answer = try await HTTP.get("/overview.json", port: fleet.workers[0].adminPort)
                return answer.body.split(separator: "\"isDraining\":").dropFirst().map { $0.hasPrefix("true") }
            }
            try await eventually("both workers are seen") { try await isDraining() == [false, false] }
            fleet.workers[1].process.signal(15)
            try await eventually("one drains") { try await isDraining().sorted { !$0 && $1 } == [false, true] }
            try await eventually("one is left") { try await isDraining() == [false] }
        }
    }
}
