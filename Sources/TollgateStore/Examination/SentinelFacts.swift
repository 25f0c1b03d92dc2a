import Hiredis
package import RedisClient

/// What one sentinel says of the primary that it watches.
package struct SentinelFacts: Sendable, Hashable {
    /// Where the primary is, as `host:port`.
    package var primary: HostAndPort

    /// The failover that it knows of last.
    package var epoch: Int64

    /// How many sentinels must agree that the primary is away.
    package var quorum: Int

    /// Sentinels that it knows, itself among them.
    package var sentinels: Int

    /// What it thinks of the primary, such as `master,s_down`.
    package var flags: Set<String>

    /// Replicas that it knows.
    package var replicaCount: Int

    /// Where they are. Nil where that may not be asked.
    package var replicas: [HostAndPort]?

    package init(
        primary: HostAndPort, epoch: Int64 = 0, quorum: Int = 2, sentinels: Int = 3, flags: Set<String> = ["master"],
        replicaCount: Int = 1, replicas: [HostAndPort]? = nil
    ) {
        self.primary = primary
        self.epoch = epoch
        self.quorum = quorum
        self.sentinels = sentinels
        self.flags = flags
        self.replicaCount = replicaCount
        self.replicas = replicas
    }

    /// Reads what `SENTINEL MASTER` answers.
    fileprivate init?(_ reply: RedisReply) {
        let fields = reply.fields.compactMapValues(\.string)
        func number(_ name: String) -> Int? { fields[name].flatMap { Int($0) } }
        guard let primary = HostAndPort(fields: fields), let quorum = number("quorum"),
            let others = number("num-other-sentinels"), let replicas = number("num-slaves")
        else { return nil }
        self.init(
            primary: primary, epoch: fields["config-epoch"].flatMap { Int64($0) } ?? 0, quorum: quorum,
            sentinels: min(others, 1000) + 1,
            flags: Set((fields["flags"] ?? "").split(separator: ",").map(String.init)), replicaCount: replicas)
    }
}

extension RedisExamination {
    /// Asks a sentinel about the primary that it calls `name`.
    package func sentinelFacts(ofPrimary name: String) async throws(RedisError) -> SentinelFacts {
        guard var facts = SentinelFacts(try await client.execute(RedisCommand("SENTINEL", "MASTER", name))) else {
            throw .server(kind: "ERR", message: "the sentinel answered in another form than this version knows")
        }
        let replicas = try? await client.execute(RedisCommand("SENTINEL", "REPLICAS", name)).array
        facts.replicas = replicas?.prefix(32).compactMap { HostAndPort(fields: $0.fields.compactMapValues(\.string)) }
        return facts
    }
}

extension HostAndPort {
    /// Of the fields that sentinels tell.
    fileprivate init?(fields: [String: String]) {
        guard let host = fields["ip"], !host.isEmpty, let port = fields["port"].flatMap({ Int($0) }),
            (1...65_535).contains(port)
        else { return nil }
        self.init(host: host, port: port)
    }
}
