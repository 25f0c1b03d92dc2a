import Hiredis
import NIOCore
import NIOPosix
import TestSupport
import Testing
import TollgateDev

@testable import RedisClient

/// The client against real clusters.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ClusterClientTests {
    /// Counts a user's calls, in two keys.
    private static let count = RedisScript(
        source: "redis.call('HINCRBY', KEYS[1], 'n', 1) return redis.call('INCR', KEYS[2])")

    private static func counting(_ user: String) -> RedisScript.Call {
        RedisScript.Call(count, keys: ["usage:{\(user)}", "ratelimit:{\(user)}:1"], arguments: [])
    }

    private static func slot(of user: String) -> Int { HashSlot(key: "usage:{\(user)}".utf8).number }

    @Test func everyKeyIsFoundOnItsServer() async throws {
        try await ClusterProcesses.run { cluster in
            try await cluster.withClient { client in
                for number in 0..<300 {
                    try await client.send("SET usage:{user_\(number)} \(number)")
                    #expect(try await client.send("GET usage:{user_\(number)}").string == "\(number)")
                    #expect(try await client.run(Self.counting("other_\(number)")) == .integer(1))
                }
                for server in cluster.servers {
                    let kept = try await cluster.ask(server, "DBSIZE").integer ?? 0
                    #expect((200...400).contains(kept), "\(kept) of 900 keys on one of three servers")
                }
                #expect(await client.ping())
                #expect(await client.unfitness() == nil)
            }
        }
    }

    /// Its kind is that of a server which has missed what others have decided.
    @Test func whatIsMovedIsFollowed() async throws {
        try await ClusterProcesses.run { cluster in
            try await cluster.withClient { client in
                let slot = Self.slot(of: "user_abc")
                for round in 1...4 {
                    let source = try await cluster.owner(of: slot)
                    let target = try #require(cluster.servers.first { $0 !== source })
                    #expect(try await client.run(Self.counting("user_abc")) == .integer(Int64(2 * round - 1)))
                    try await cluster.move(slot: slot, from: source, to: target)
                    #expect(try await client.run(Self.counting("user_abc")) == .integer(Int64(2 * round)))
                    #expect(try await client.send("HGET usage:{user_abc} n").string == "\(2 * round)")
                }
            }
        }
    }

    /// A server that lacks one of the keys neither counts from nothing nor keeps the others from coming.
    @Test func noScriptRunsWhileItsSlotIsOnItsWay() async throws {
        try await ClusterProcesses.run { cluster in
            try await cluster.withClient(timeout: .milliseconds(300)) { client in
                let slot = Self.slot(of: "user_abc")
                let source = try await cluster.owner(of: slot)
                let target = try #require(cluster.servers.first { $0 !== source })
                #expect(try await client.run(Self.counting("user_abc")) == .integer(1))
                let migration = try await cluster.beginMoving(slot: slot, from: source, to: target)
                for moved in 0...2 {
                    for user in ["user_abc"] {
                        let error = await #expect(throws: RedisError.self, "\(moved) of its keys have been moved") {
                            _ = try await client.run(Self.counting(user))
                        }
                        #expect(
                            error?.leavesServerUsable == false,
                            "it is as if Redis were away: \(String(describing: error))")
                    }
                    // A single key is found wherever it is.
                    #expect(try await client.send("HGET usage:{user_abc} n").string == "1")
                    #expect(try await client.send("GET ratelimit:{user_abc}:1").string == "1")
                    if moved < 2 { try await cluster.moveKeys(migration, count: 1) }
                }
                // A user without a record yet, which would be made on one of the two.
                try await cluster.endMoving(migration)
                #expect(try await client.run(Self.counting("user_abc")) == .integer(2))
                #expect(try await cluster.ask(source, "CLUSTER COUNTKEYSINSLOT \(slot)") == .integer(0))
            }
        }
    }

    /// A caller meanwhile waits for no longer than a command may.
    @Test func aCallThatComesWhileItsSlotIsOnItsWayWaitsForIt() async throws {
        try await ClusterProcesses.run { cluster in
            try await cluster.withClient(timeout: .seconds(10)) { client in
                let slot = Self.slot(of: "user_abc")
                let source = try await cluster.owner(of: slot)
                let target = try #require(cluster.servers.first { $0 !== source })
                #expect(try await client.run(Self.counting("user_abc")) == .integer(1))
                let migration = try await cluster.beginMoving(slot: slot, from: source, to: target)
                try await cluster.moveKeys(migration, count: 1)
                async let waiting = client.run(Self.counting("user_abc"))
                try await cluster.ask(source, "CONFIG RESETSTAT")
                try await eventually("it is refused for the moment") {
                    let text = try await cluster.ask(source, "INFO errorstats").string ?? ""
                    return text.contains("TRYAGAIN")
                }
                while try await cluster.moveKeys(migration) > 0 {}
                try await cluster.endMoving(migration)
                #expect(try await waiting == .integer(2))
            }
        }
    }

    @Test(.tags(.measuresTime)) func aReplicaThatIsPromotedIsFollowed() async throws {
        try await ClusterProcesses.run(replicas: 1) { cluster in
            try await cluster.withClient(timeout: .milliseconds(200)) { client in
                let users = (0..<30).map { "user_\($0)" }
                for user in users { _ = try await client.run(Self.counting(user)) }
                let primary = try await cluster.owner(of: Self.slot(of: "user_0"))
                let place = try #require(cluster.servers.firstIndex { $0 === primary })
                let replica = cluster.servers[place + cluster.primaryCount]
                try await eventually("the replica has all") {
                    let kept = try await cluster.ask(primary, "DBSIZE")
                    return try await cluster.ask(replica, "DBSIZE") == kept
                }
                await primary.kill()
                try await eventually("the others are served meanwhile") { await client.unfitness() == nil }
                try await eventually("the replica is promoted", within: .seconds(30)) {
                    (try? await cluster.ask(replica, "ROLE"))?.array?.first?.string == "master"
                }
                let promotion = ContinuousClock.now
                try await eventually("it is followed") { (try? await client.run(Self.counting("user_0"))) != nil }
                let late = ContinuousClock.now - promotion
                #expect(late < .seconds(1), "\(late) after the promotion")
                for user in users.dropFirst() {
                    #expect(try await client.run(Self.counting(user)) == .integer(2), "\(user)")
                }
            }
        }
    }

    @Test func aServerThatJoinsAndOneThatLeavesAreNoticed() async throws {
        try await ClusterProcesses.run(primaries: 4) { cluster in
            try await cluster.withClient { client in
                let last = cluster.servers[3]
                for number in 0..<40 { try await client.send("SET usage:{user_\(number)} 1") }
                let kept = try await cluster.ask(last, "CLUSTER SLOTS").array ?? []
                #expect(kept.count == 4)
                let mine = 12_288...16_383
                // All at once, as an operator does who has no data there: then key by key would be no other.
                for number in 0..<40 where mine.contains(Self.slot(of: "user_\(number)")) {
                    try await cluster.move(
                        slot: Self.slot(of: "user_\(number)"), from: last, to: cluster.servers[0])
                }
                for number in 0..<40 {
                    #expect(try await client.send("GET usage:{user_\(number)}").string == "1")
                }
            }
        }
    }

    @Test func aSeedThatIsAwayDoesNoHarm() async throws {
        try await ClusterProcesses.run { cluster in
            let dead = try await Loopback.freePort()
            var configuration = RedisClientConfiguration(
                endpoint: try RedisEndpoint(
                    url: "redis-cluster://127.0.0.1:\(dead),localhost:\(cluster.servers[1].port)"))
            configuration.commandTimeout = .seconds(5)
            try await withRedisClient(configuration) { client in
                for number in 0..<30 { try await client.send("SET usage:{user_\(number)} 1") }
                #expect(client.lastFailure == nil, "no connection goes back to it")
            }
        }
    }

    @Test func aServerThatIsNoClusterSaysSo() async throws {
        try await withRedis { server in
            let configuration = RedisClientConfiguration(
                endpoint: try RedisEndpoint(url: "redis-cluster://127.0.0.1:\(server.port)"))
            try await withRedisClient(configuration, waitsUntilReady: false) { client in
                try await eventually("the reason is known") {
                    client.lastFailure?.contains("cluster support disabled") == true
                }
                #expect(!client.isReady)
                #expect(await client.unfitness()?.contains("cluster support disabled") == true)
            }
        }
    }

    /// What a person sees who has read "Redis" and not "Redis Cluster".
    @Test func aServerOfAClusterThatIsTakenForASingleOneSaysSo() async throws {
        try await ClusterProcesses.run { cluster in
            var configuration = try cluster.servers[0].configuration
            configuration.probe = (0..<16).map { RedisCommand("EXISTS", "usage:{\($0)}") }
            try await withRedisClient(configuration, waitsUntilReady: false) { client in
                try await eventually("the reason is known") {
                    client.lastFailure?.contains("redis-cluster://") == true
                }
            }
        }
    }
}
