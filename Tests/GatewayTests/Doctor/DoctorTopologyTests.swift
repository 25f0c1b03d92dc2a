import Hiredis
import TestSupport
import Testing
import TollgateDev
import TollgateServer

/// The doctor at groups of real servers.
@Suite struct DoctorTopologyTests {
    @Test func aSentinelGroupIsLookedAtWhole() async throws {
        try await SentinelProcesses.run { group in
            let report = try await examine(["REDIS_URL": group.url()])
            #expect(report.finding("sentinels")?.found == "all 3 answer", "\(report.text)")
            #expect(report.finding("sentinels-agree")?.found.contains("127.0.0.1:\(group.primary.port)") == true)
            #expect(report.finding("server")?.found.contains("127.0.0.1:\(group.replica.port): a replica") == true)
            #expect(report.finding("admissions")?.verdict == .ok && report.finding("role")?.verdict == .ok)
            // What the replica may not do shows before it is the primary.
            _ = try await withRedisClient(group.replica.configuration) { client in
                try await client.send("ACL SETUSER default -hincrby")
            }
            await group.sentinels[0].process.terminate()
            let hurt = try await examine(["REDIS_URL": group.url()])
            #expect(hurt.finding("sentinels")?.verdict == .warn)
            let commands = hurt.findings.filter { $0.code == "commands" && $0.verdict == .fail }
            #expect(commands.count == 1 && commands[0].found.contains("\(group.replica.port)"), "\(hurt.text)")
            #expect(commands.first?.remedy == "ACL SETUSER default +hincrby")
        }
    }

    @Test func aClusterIsLookedAtWhole() async throws {
        try await ClusterProcesses.run(primaries: 3, replicas: 1) { cluster in
            let report = try await examine(["REDIS_URL": cluster.url()])
            for code in [
                "seeds", "cluster-state", "slots", "moving-slots", "members", "cluster-replicas", "admissions",
            ] {
                #expect(report.finding(code)?.verdict == .ok, "\(code): \(report.text)")
            }
            #expect(report.findings.filter { $0.code == "server" && $0.verdict == .ok }.count == 6)
            #expect(report.finding("commands")?.found == "all servers: every one that workers send", "\(report.text)")
            #expect(report.finding("names")?.found == "all primaries: all are Tollgate's")
            // Nothing is left behind.
            for primary in cluster.primaries {
                let keys = try await cluster.ask(primary, "KEYS *").array
                #expect(keys?.isEmpty == true, "\(keys ?? [])")
            }
            let primaries = Array(cluster.primaries)
            // With the rights of a worker and no more.
            for server in cluster.servers { try await cluster.ask(server, RedisUsers.setting("gateway")) }
            let url = cluster.url().replacing("cluster://", with: "cluster://gateway:\(RedisUsers.password)@")
            let least = try await examine(["REDIS_URL": url])
            #expect(least.exitStatus < 2 && least.finding("moving-slots")?.verdict == .skipped, "\(least.text)")
            for code in ["slots", "members", "cluster-replicas", "commands", "key-patterns", "admissions"] {
                #expect(least.finding(code)?.verdict == .ok, "\(code): \(least.text)")
            }
            _ = try await cluster.beginMoving(slot: 100, from: primaries[0], to: primaries[1])
            try await cluster.ask(primaries[1], "ACL SETUSER default -hincrby")
            let hurt = try await examine(["REDIS_URL": cluster.url()])
            #expect(hurt.finding("moving-slots")?.verdict == .warn)
            let commands = hurt.findings.filter { $0.code == "commands" && $0.verdict == .fail }
            #expect(commands.count == 1 && commands[0].found.contains("\(primaries[1].port)"), "\(hurt.text)")

            let one = try await examine(["REDIS_URL": primaries[0].url])
            #expect(one.finding("mode")?.verdict == .fail && one.finding("admissions") == nil, "\(one.text)")
        }
    }
}
