import RedisClient
import TollgateStore

/// Looks at the servers behind the one that workers call: sentinels and replicas, or all of a cluster.
struct TopologyDoctor: Sendable {
    /// Servers that are asked, all at once. More are seldom in one cluster.
    private static let maximumServers = 64

    let probe: RedisProbe
    let timeoutMilliseconds: Int

    func findings() async -> [Finding] {
        switch probe.endpoint.address {
        case .sentinels(let group): await sentinelFindings(group)
        case .cluster(let seeds): await clusterFindings(seeds)
        default: []
        }
    }

    // MARK: Sentinels

    private func sentinelFindings(_ group: SentinelGroup) async -> [Finding] {
        let places = group.places.map { HostAndPort(host: $0.host, port: $0.port) }
        let sightings = await each(of: places) { place in
            await probe.visit(probe.configuration(of: place, isSentinel: true), hasTime: false) { client, _ in
                await Self.outcome { () throws(RedisError) in
                    try await RedisExamination(client: client, database: 0, time: probe.time)
                        .sentinelFacts(ofPrimary: group.primary)
                }
            }.flattened()
        }
        let judge = SentinelJudge(primary: group.primary, sightings: zip(places, sightings).map { ($0, $1) })
        let replicas = judge.latest?.replicas ?? []
        async let primary = each(of: judge.latest.map { [$0.primary] } ?? []) { place in
            var server = await server(at: place, as: .alone)
            server.isForComparison = true
            return server
        }
        let servers = await each(of: replicas) { await server(at: $0, as: .replica) } + primary
        return judge.findings
            + ServerGroupJudge(user: user, timeoutMilliseconds: timeoutMilliseconds, servers: servers).findings
    }

    // MARK: Cluster

    private func clusterFindings(_ seeds: ClusterSeeds) async -> [Finding] {
        let views = await each(of: seeds.nodes) { await clusterFacts(at: $0) }
        let seen = zip(seeds.nodes, views).map { ($0, $1) }
        guard let view = views.lazy.compactMap({ try? $0.get() }).first else {
            return ClusterJudge.findings(ofSeeds: seen, user: user)
        }
        let members = view.members.filter { !$0.isFailing }.sorted { "\($0.place)" < "\($1.place)" }
            .prefix(Self.maximumServers)
        async let facts = each(of: Array(members)) { member in
            await server(at: member.place, as: member.isPrimary ? .clusterPrimary : .replica)
        }
        // Each tells of the slots that it moves itself.
        async let others = each(of: members.filter(\.isPrimary)) { await clusterFacts(at: $0.place) }
        let servers = await facts
        return await ClusterJudge.findings(ofSeeds: seen, user: user)
            + ClusterJudge(view: view, views: others.compactMap { try? $0.get() }).findings
            + ServerGroupJudge(user: user, timeoutMilliseconds: timeoutMilliseconds, servers: servers).findings
    }

    private func clusterFacts(at node: HostAndPort) async -> Result<ClusterFacts, RedisProbe.Unreachable> {
        await probe.visit(probe.configuration(of: node)) { client, _ in
            await Self.outcome { () throws(RedisError) in
                try await RedisExamination(client: client, database: 0, time: probe.time)
                    .clusterFacts(from: node.host, usesTLS: probe.endpoint.usesTLS)
            }
        }.flattened()
    }

    // MARK: Servers

    private var user: String { probe.endpoint.username ?? "default" }

    private func server(at node: HostAndPort, as part: RedisFacts.Part) async -> ServerGroupJudge.Server {
        let facts = await probe.visit(probe.configuration(of: node)) { client, clock in
            await RedisExamination(client: client, database: probe.endpoint.database, time: probe.time)
                .facts(admissions: nil, clock: clock)
        }
        return ServerGroupJudge.Server(place: node.description, part: part, facts: facts)
    }

    private static func outcome<Value>(
        _ question: () async throws(RedisError) -> Value
    ) async -> Result<Value, RedisError> {
        do throws(RedisError) { return .success(try await question()) } catch { return .failure(error) }
    }
}

extension Result where Failure == RedisProbe.Unreachable {
    /// An answer that is an error is as good as none.
    fileprivate func flattened<Value>() -> Result<Value, RedisProbe.Unreachable>
    where Success == Result<Value, RedisError> {
        flatMap { $0.mapError { RedisProbe.Unreachable(reason: "\($0)") } }
    }
}
