import Hiredis
import RedisClient
import Testing
import TollgateStore

@testable import TollgateServer

/// What the doctor thinks of sentinels, of clusters and of servers that belong together.
@Suite struct TopologyTests {
    private static let primary = HostAndPort(host: "10.0.0.1", port: 6379)

    private static func verdict(_ code: String, _ findings: [Finding]) -> Finding.Verdict? {
        findings.first { $0.code == code }?.verdict
    }

    // MARK: Sentinels

    private static func sentinels(_ facts: SentinelFacts?...) -> SentinelJudge {
        let sightings = facts.enumerated().map { index, facts in
            let result: Result<SentinelFacts, RedisProbe.Unreachable> =
                facts.map { .success($0) } ?? .failure(.init(reason: "Connection refused"))
            return (place: HostAndPort(host: "10.0.1.\(index)", port: 26_379), facts: result)
        }
        return SentinelJudge(primary: "mymaster", sightings: sightings)
    }

    @Test func sentinelsThatAgreeAreWell() {
        let one = SentinelFacts(primary: Self.primary, replicas: [HostAndPort(host: "10.0.0.2", port: 6379)])
        let findings = Self.sentinels(one, one, one).findings
        #expect(findings.allSatisfy { $0.verdict == .ok }, "\(findings)")
        #expect(findings.map(\.code) == ["sentinels", "sentinels-agree", "quorum", "successors"])
    }

    @Test func eachTroubleOfSentinelsIsSeen() {
        let well = SentinelFacts(primary: Self.primary)
        let other = SentinelFacts(primary: HostAndPort(host: "10.0.0.9", port: 6379), epoch: 7)
        #expect(Self.verdict("sentinels", Self.sentinels(well, nil, well).findings) == .warn)
        #expect(Self.sentinels(nil, nil).findings.map(\.verdict) == [.fail])
        #expect(Self.sentinels(well, other).latest == other)
        #expect(Self.verdict("sentinels-agree", Self.sentinels(well, other).findings) == .warn)
        func alone(_ change: (inout SentinelFacts) -> Void) -> [Finding] {
            var facts = well
            change(&facts)
            return Self.sentinels(facts).findings
        }
        #expect(Self.verdict("quorum", alone { $0.quorum = 4 }) == .fail)
        #expect(Self.verdict("quorum", alone { ($0.sentinels, $0.quorum) = (2, 1) }) == .warn)
        #expect(Self.verdict("quorum", Self.sentinels(well, nil, nil).findings) == .fail)
        #expect(Self.verdict("primary-down", alone { $0.flags = ["master", "o_down"] }) == .fail)
        #expect(Self.verdict("successors", alone { $0.replicaCount = 0 }) == .warn)
        #expect(Self.verdict("successors", alone { $0.replicas = nil }) == .skipped)
    }

    // MARK: Cluster

    private static func view(_ lines: String..., state: String = "ok") -> ClusterFacts {
        ClusterFacts(info: "cluster_state:\(state)\r\n", nodes: lines.joined(separator: "\n"), from: "seed")
    }

    private static func node(
        _ id: String, flags: String = "master", of primary: String = "-", link: String = "connected",
        _ slots: String = ""
    ) -> String {
        "\(id) 10.0.0.1:700\(id)@1700\(id) \(flags) \(primary) 0 0 1 \(link) \(slots)"
    }

    @Test func aWholeClusterIsWell() {
        let view = Self.view(
            Self.node("1", flags: "myself,master", "0-8000 8002-8191"), Self.node("2", "8001 8192-16383"),
            Self.node("3", flags: "slave", of: "1"), Self.node("4", flags: "slave", of: "2"))
        let findings = ClusterJudge(view: view, views: [view]).findings
        #expect(findings.allSatisfy { $0.verdict == .ok }, "\(findings)")
    }

    @Test func eachTroubleOfAClusterIsSeen() {
        func findings(_ lines: String..., state: String = "ok") -> [Finding] {
            let view = ClusterFacts(
                info: "cluster_state:\(state)\r\n", nodes: lines.joined(separator: "\n"), from: "seed")
            return ClusterJudge(view: view, views: []).findings
        }
        let whole = Self.node("1", flags: "myself,master", "0-16383")
        let replica = Self.node("2", flags: "slave", of: "1")
        #expect(Self.verdict("cluster-state", findings(whole, replica, state: "fail")) == .fail)
        #expect(Self.verdict("slots", findings(Self.node("1", "0-16382"), replica)) == .fail)
        #expect(Self.verdict("slots", findings(Self.node("1", flags: "master,fail", "0-16383"), replica)) == .fail)
        #expect(Self.verdict("moving-slots", findings(Self.node("1", "0-16383 [77->-2]"), replica)) == .warn)
        #expect(Self.verdict("members", findings(whole, Self.node("2", flags: "slave,fail", of: "1"))) == .warn)
        #expect(Self.verdict("members", findings(whole, Self.node("2", link: "disconnected"))) == .warn)
        #expect(Self.verdict("cluster-replicas", findings(whole)) == .warn)
        #expect(
            Self.verdict("cluster-replicas", findings(whole, Self.node("2", flags: "slave,fail?", of: "1"))) == .warn)
    }

    @Test func linesOfNodesAreRead() {
        let facts = Self.view(
            "a :7000@17000 myself,master - 0 0 1 connected 0-1 5 [9-<-b]",
            "b 10.0.0.2:7001@17001,redis-2.example.com slave a 0 0 1 connected",
            "c ::1:7002@17002,,shard-id=1 master - 0 0 1 disconnected", "nonsense",
            "d 1:2:x@3 master - 0 0 1 connected",
            "e 10.0.0.5:7005@17005 master - 0 0 1 connected 5-99999")
        #expect(facts.members.map(\.place.description) == ["seed:7000", "redis-2.example.com:7001", "[::1]:7002"])
        #expect(facts.members[0].slots == [0...1, 5...5] && facts.members[0].movingSlots == [9])
        #expect(facts.members[1].primaryID == "a" && !facts.members[1].isPrimary)
        #expect(facts.members[2].isFailing)
        #expect(facts.missingSlots == ClusterFacts.slotCount - 3)
    }

    /// As where `CLUSTER NODES` is not permitted.
    @Test func shardsAndSlotsAreRead() {
        func text(_ text: String) -> RedisReply { .bytes(Array(text.utf8)) }
        func node(_ id: String, _ role: String, health: String = "online", endpoint: String? = nil) -> RedisReply {
            .array([
                text("id"), text(id), text("port"), .integer(7001), text("tls-port"), .integer(7101), text("ip"),
                text("10.0.0.1"), text("endpoint"), endpoint.map(text) ?? .null, text("role"), text(role),
                text("health"), text(health),
            ])
        }
        let shards = RedisReply.array([
            .array([
                text("slots"), .array([.integer(0), text("8191"), .integer(9), .integer(99_999)]), text("nodes"),
                .array([node("a", "master", endpoint: "?"), node("b", "replica", health: "fail")]),
            ]),
            .array([text("slots"), .array([]), text("nodes"), .array([node("c", "master", endpoint: "c.example.com")])]
            ),
            .integer(1),
        ])
        let members = ClusterFacts.members(shards: shards, from: "seed", usesTLS: true)
        #expect(members.map(\.place.description) == ["10.0.0.1:7101", "seed:7101", "c.example.com:7101"])
        #expect(members[0].isPrimary && members[0].slots == [0...8191])
        #expect(members[1].primaryID == "a" && members[1].isFailing && members[1].slots.isEmpty)

        func place(_ port: Int64, _ id: String) -> RedisReply { .array([text("10.0.0.1"), .integer(port), text(id)]) }
        let slots = RedisReply.array([
            .array([.integer(0), .integer(5), place(1, "a"), place(2, "b")]),
            .array([.integer(7), .integer(9), place(1, "a"), place(2, "b")]), .array([.integer(0)]), .null,
        ])
        let old = ClusterFacts.members(slots: slots, from: "seed")
        #expect(old.map(\.place.port) == [1, 2] && old[0].slots == [0...5, 7...9] && old[1].primaryID == "a")
    }

    @Test func seedsThatAreAwayAreTold() {
        let (place, view) = (Self.primary, Self.view())
        let silent: Result<ClusterFacts, RedisProbe.Unreachable> = .failure(.init(reason: "Connection refused"))
        let forbidden: Result<ClusterFacts, RedisProbe.Unreachable> = .failure(
            .init(reason: "Redis answered: NOPERM User gateway has no permissions to run the 'cluster|info' command"))
        func verdict(_ facts: [Result<ClusterFacts, RedisProbe.Unreachable>]) -> Finding.Verdict? {
            ClusterJudge.findings(ofSeeds: facts.map { (place, $0) }, user: "gateway").first?.verdict
        }
        #expect(verdict([.success(view)]) == .ok && verdict([.success(view), silent]) == .warn)
        #expect(verdict([silent, silent]) == .fail && verdict([forbidden]) == .skipped)
    }

    // MARK: Servers that belong together

    private static func server(
        _ place: String, _ info: String, part: RedisFacts.Part = .replica
    ) -> ServerGroupJudge.Server {
        let facts = RedisFacts(
            latency: .success(.zero), info: .success(RedisServerInfo(info.replacing(" ", with: "\n"))),
            clockAheadMilliseconds: .success(0))
        return .init(place: place, part: part, facts: .success(facts))
    }

    private static func group(_ servers: ServerGroupJudge.Server...) -> [Finding] {
        ServerGroupJudge(user: "gateway", timeoutMilliseconds: 200, servers: servers).findings
    }

    @Test func whatSeveralHaveInCommonIsToldOnce() {
        let info = "redis_version:7.2.0 role:slave master_link_status:up maxmemory_policy:allkeys-lru"
        let findings = Self.group(Self.server("a:1", info), Self.server("b:2", info)).filter(\.isWrong)
        #expect(findings.count == 1 && findings[0].found.hasPrefix("a:1, b:2: With maxmemory-policy"), "\(findings)")
    }

    @Test func serversThatDifferAreTold() {
        let (old, new) = ("redis_version:7.0.0 role:slave master_link_status:up", "redis_version:7.2.0 role:slave")
        let findings = Self.group(
            Self.server("a:1", old + " aof_enabled:1"), Self.server("b:2", new + " aof_enabled:0"))
        #expect(Self.verdict("versions", findings) == .warn && Self.verdict("settings", findings) == .warn)
        #expect(findings.first { $0.code == "replica-link" }?.found.hasPrefix("b:2: ") == true)
    }

    @Test func aServerForComparisonIsNotToldOf() {
        var primary = Self.server("a:1", "redis_version:7.0.0 role:master maxmemory_policy:allkeys-lru", part: .alone)
        primary.isForComparison = true
        let replica = Self.server(
            "b:2", "redis_version:7.0.0 role:slave master_link_status:up maxmemory_policy:noeviction")
        let findings = Self.group(primary, replica)
        #expect(findings.filter { $0.code == "server" }.count == 1)
        #expect(findings.filter(\.isWrong).map(\.code) == ["settings"])
    }

    @Test func aPrimaryThatIsAwayIsAFailureAndAReplicaAWarning() {
        func findings(_ part: RedisFacts.Part) -> [Finding] {
            Self.group(.init(place: "a:1", part: part, facts: .failure(.init(reason: "Connection refused"))))
        }
        #expect(Self.verdict("server", findings(.replica)) == .warn)
        #expect(Self.verdict("server", findings(.clusterPrimary)) == .fail)
    }
}
