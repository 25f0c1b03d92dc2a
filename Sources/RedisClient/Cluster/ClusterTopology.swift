import Hiredis
import Logging
import NIOCore
import NIOSSL
import Synchronization

/// Keeps the map of a cluster fresh, for all event loops: asks several servers when there is a reason, and every now and
/// then, and goes by the one that has heard of the latest decision. One round of questions at a time, however many
/// reasons come together.
final class ClusterTopology: @unchecked Sendable {
    // @unchecked Sendable, reason 1: all mutable properties are used on `eventLoop` only, but for what is locked.

    private let eventLoop: any EventLoop
    private let seeds: ClusterSeeds
    private let configuration: RedisClientConfiguration
    private let tlsContext: NIOSSLContext?
    private let logger: Logger

    private var policy: RefreshPolicy
    private var map: ClusterMap?
    private var links: [ClusterLink] = []
    private var next: (at: Int64, task: Scheduled<Void>)?
    private var hint: HostAndPort?
    private var isStarted = false
    private var isStopped = false

    /// Questions go over connections of this one.
    private var background: ClusterLink?

    /// A reason was told that has not reached the event loop yet.
    private let isTold = Atomic<Bool>(false)

    /// When a server was last missed, in nanoseconds of the monotonic clock.
    private let suspicion = Atomic<Int64>(.min / 2)

    /// How long a new map is expected after a server was missed: longer than a failover takes.
    private static let suspicionNanoseconds: Int64 = 15_000_000_000

    /// What connections to one server have in common, whichever event loop they are on.
    private let places = Mutex<[HostAndPort: Place]>([:])

    private struct Place {
        let addresses: HostAddresses?
        let log: OutageLog
    }

    /// How many servers are asked in one round, and how many when one of them is said to know better.
    private static let (asked, askedWithHint) = (3, 2)

    /// Servers that the log tells of.
    private static let told = 12

    init(
        _ seeds: ClusterSeeds, configuration: RedisClientConfiguration, tlsContext: NIOSSLContext?,
        eventLoop: any EventLoop, logger: Logger
    ) {
        self.seeds = seeds
        self.configuration = configuration
        self.tlsContext = tlsContext
        self.eventLoop = eventLoop
        self.logger = logger
        policy = RefreshPolicy(regularNanoseconds: configuration.addressInterval.nanoseconds)
    }

    /// - Parameters:
    ///   - links: All that go by the map.
    ///   - background: The one of them whose connections take the questions. It is on the topology's event loop.
    func serve(_ links: [ClusterLink], askingOver background: ClusterLink) {
        self.links = links
        self.background = background
    }

    // MARK: Reasons

    func start() {
        onLoop {
            guard !self.isStarted else { return }
            self.isStarted = true
            self.look(at: self.policy.mapIsInDoubt(now: Self.now))
        }
    }

    func stop() {
        onLoop {
            self.isStopped = true
            self.next?.task.cancel()
            self.links = []
            self.background = nil
        }
    }

    /// There may be another map. Any thread.
    func refresh(after redirection: Redirection? = nil) {
        guard isTold.exchange(true, ordering: .relaxed) == false else { return }
        onLoop {
            self.isTold.store(false, ordering: .relaxed)
            if case .moved(let node) = redirection { self.hint = node }
            self.look(at: self.policy.mapIsInDoubt(now: Self.now))
        }
    }

    /// A server was lost, or cannot be reached: another may take its place. Any thread.
    func serverFailed() {
        suspicion.store(Self.now, ordering: .relaxed)
        refresh()
    }

    private func onLoop(_ action: @escaping @Sendable () -> Void) {
        if eventLoop.inEventLoop { action() } else { eventLoop.execute(action) }
    }

    private static var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }

    /// - Parameter moment: In nanoseconds of the monotonic clock. Nil when a round is under way.
    private func look(at moment: Int64?) {
        guard !isStopped, let moment else { return }
        if let next {
            // Reasons that keep coming must not put it off.
            guard moment < next.at else { return }
            next.task.cancel()
        }
        let deadline = NIODeadline.uptimeNanoseconds(UInt64(max(0, moment)))
        let task = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.next = nil
            self.policy.began(now: Self.now)
            self.askAll()
        }
        next = (moment, task)
    }

    // MARK: Questions

    fileprivate enum Answer {
        case map(ClusterMap)
        case failure(String)
    }

    private func askAll() {
        guard let background else { return }
        let count = hint == nil ? Self.asked : Self.askedWithHint
        let nodes = Array(candidates(background).prefix(count))
        let poll = Poll<ClusterMap>(of: nodes.count, on: eventLoop) { maps, reasons in
            self.decide(maps, reasons, ofAll: maps.count == nodes.count)
        }
        for node in nodes {
            ask(node, over: background) { answer in
                switch answer {
                case .map(let map): poll.answered(map)
                case .failure(let reason): poll.failed("\(node): \(reason)")
                }
            }
        }
    }

    /// The servers to ask, the best first: the one that is said to have got a slot, those that answered lately, then others.
    private func candidates(_ background: ClusterLink) -> [HostAndPort] {
        defer { hint = nil }
        guard let map else { return seeds.nodes.shuffled() }
        let standing = background.connections.filter(\.isReady).compactMap(\.node)
        var seen: Set<HostAndPort> = []
        let hinted = hint.map { [$0] } ?? []
        // Where all have moved away, the configuration may still lead to them.
        let others = (standing.isEmpty ? seeds.nodes.shuffled() : []) + (map.primaries + map.replicas).shuffled()
        return (hinted + standing.shuffled().prefix(1) + others).filter { seen.insert($0).inserted }
    }

    private func ask(_ node: HostAndPort, over link: ClusterLink, completion: @escaping (Answer) -> Void) {
        var epoch: Result<Int64, RedisError> = .success(0)
        link.send(RedisCommand("CLUSTER", "INFO"), to: node) { result in
            epoch = result.map { ClusterInfo($0.string ?? "").currentEpoch }
        }
        link.send(RedisCommand("CLUSTER", "SHARDS"), to: node) { result in
            switch (epoch, result) {
            case (.failure(let error), _): completion(.failure("\(error)"))
            case (.success(let epoch), .success(let reply)):
                let usesTLS = self.configuration.endpoint.usesTLS
                completion(
                    .of(ClusterMap(shards: reply, epoch: epoch, from: node.host, usesTLS: usesTLS), "SHARDS"))
            case (.success(let epoch), .failure(.server(_, let message))) where message.contains("nknown subcommand"):
                // Before Redis 7.
                link.send(RedisCommand("CLUSTER", "SLOTS"), to: node) { result in
                    switch result {
                    case .success(let reply):
                        completion(.of(ClusterMap(slots: reply, epoch: epoch, from: node.host), "SLOTS"))
                    case .failure(let error): completion(.failure("\(error)"))
                    }
                }
            case (.success, .failure(let error)): completion(.failure("\(error)"))
            }
        }
    }

    private func decide(_ found: [ClusterMap], _ reasons: [String], ofAll: Bool) {
        guard !isStopped else { return }
        let latest = found.max { ($0.epoch, $0.isWhole ? 1 : 0) < ($1.epoch, $1.isWhole ? 1 : 0) }
        var isNew = false
        // One that has missed a decision never wins, unless all are so: then it is another cluster.
        if let latest, latest.epoch >= map?.epoch ?? .min || ofAll {
            isNew = latest != map
            if isNew { adopt(latest) }
        } else if map == nil {
            let reason = "no server of the cluster tells where the others are (\(reasons.joined(separator: "; ")))"
            for link in links { link.missesMap(because: reason) }
        }
        // Lets go of those that were asked and are no primaries.
        if !isNew, let map { background?.use(map) }
        let isMissing = Self.now - suspicion.load(ordering: .relaxed) < Self.suspicionNanoseconds
        look(at: policy.ended(now: Self.now, isNew: isNew, isInDoubt: isMissing || map?.isWhole != true))
    }

    private func adopt(_ map: ClusterMap) {
        let before = self.map
        self.map = map
        for link in links { link.eventLoop.execute { link.use(map) } }
        let nodes = Set(map.primaries + map.replicas + seeds.nodes)
        places.withLock { places in places = places.filter { nodes.contains($0.key) } }
        guard before?.primaries != map.primaries || before?.isWhole != map.isWhole else { return }
        let rest = map.primaries.count > Self.told ? ", and \(map.primaries.count - Self.told) more" : ""
        let servers =
            zip(map.primaries, map.slotCounts).prefix(Self.told).map { "\($0) (\($1) slots)" }.joined(separator: ", ")
            + rest
        logger.notice("redis cluster", metadata: ["primaries": "\(servers)", "whole": "\(map.isWhole)"])
    }

    // MARK: Connections

    func makeConnection(to node: HostAndPort, on eventLoop: any EventLoop) -> RedisConnection {
        var configuration = configuration
        let endpoint = configuration.endpoint
        configuration.endpoint = RedisEndpoint(
            address: .tcp(host: node.host, port: node.port), usesTLS: endpoint.usesTLS, username: endpoint.username,
            password: endpoint.password)
        // Its keys are of several servers.
        configuration.probe = []
        configuration.isClusterNode = true
        let place = places.withLock { places in
            if let place = places[node] { return place }
            let isAddress = (try? SocketAddress(ipAddress: node.host, port: node.port)) != nil
            let place = Place(
                addresses: isAddress
                    ? nil : HostAddresses(host: node.host, port: node.port, resolver: configuration.resolver),
                log: OutageLog(connectionCount: 1, endpoint: configuration.endpoint.description, logger: logger))
            places[node] = place
            return place
        }
        return RedisConnection(
            eventLoop: eventLoop, configuration: configuration, tlsContext: tlsContext, addresses: place.addresses,
            log: place.log)
    }
}

extension ClusterTopology.Answer {
    fileprivate static func of(_ map: ClusterMap?, _ command: String) -> Self {
        guard let map else { return .failure("it answers CLUSTER \(command) in another form than this version knows") }
        return map.primaries.isEmpty ? .failure("it knows no primary") : .map(map)
    }
}
