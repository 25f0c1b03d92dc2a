import RedisClient
import TollgateStore

/// Judges a cluster by what its servers say of it.
struct ClusterJudge: Sendable {
    /// What one of them says of all.
    let view: ClusterFacts

    /// What each primary says.
    let views: [ClusterFacts]

    /// Judges whether the servers in the configuration lead to the cluster.
    static func findings(
        ofSeeds seeds: [(place: HostAndPort, facts: Result<ClusterFacts, RedisProbe.Unreachable>)], user: String
    ) -> [Finding] {
        let silent = seeds.compactMap { seed in seed.facts.failure.map { "\(seed.place): \($0.reason)" } }
        guard let reason = silent.first else {
            return [.ok(.topology, "seeds", "all \(seeds.count) in REDIS_URL answer")]
        }
        if silent.count == seeds.count, reason.contains("NOPERM") {
            return [
                .skipped(
                    .topology, "cluster", "not permitted (+cluster|info +cluster|shards +cluster|slots)",
                    remedy:
                        "Permit it: ACL SETUSER \(user) +cluster|info +cluster|shards +cluster|slots, or run the doctor with another "
                        + "login: --redis-url.")
            ]
        }
        guard silent.count < seeds.count else {
            return [
                .fail(
                    .topology, "seeds", "No server tells of the cluster: \(silent.joined(separator: "; ")).",
                    remedy: "Correct the servers in REDIS_URL; for a Redis that is no cluster, begin it with redis://.")
            ]
        }
        return [
            .warn(
                .topology, "seeds",
                "\(silent.count) of \(seeds.count) in REDIS_URL do not answer: \(silent.joined(separator: "; ")).",
                remedy: "Start them, or name others: a worker that starts needs one of them.")
        ]
    }

    var findings: [Finding] { [state, slots, movingSlots, members, replicas] }

    private var state: Finding {
        let failing = ([view] + views).filter { $0.state != "ok" }
        guard failing.isEmpty else {
            return .fail(
                .topology, "cluster-state",
                "Of the servers, \(failing.count) say that the cluster's state is \(failing[0].state).",
                remedy: "See CLUSTER INFO and CLUSTER NODES: bring back the servers whose slots no other keeps, or run "
                    + "redis-cli --cluster fix.")
        }
        return .ok(.topology, "cluster-state", "ok")
    }

    private var slots: Finding {
        let missing = view.missingSlots
        guard missing == 0 else {
            return .fail(
                .topology, "slots",
                "\(missing) of \(ClusterFacts.slotCount) slots are kept by no server: their users are refused.",
                remedy: "Bring back the servers that kept them, or run redis-cli --cluster fix.")
        }
        let counts = view.members.filter(\.isPrimary).map { $0.slots.reduce(0) { $0 + $1.count } }.filter { $0 > 0 }
        return .ok(
            .topology, "slots",
            "all \(ClusterFacts.slotCount), in parts of \(counts.map(String.init).joined(separator: ", "))")
    }

    private var movingSlots: Finding {
        let moving = Set(([view] + views).flatMap(\.members).flatMap(\.movingSlots)).sorted()
        guard !moving.isEmpty else {
            return view.knowsMoves
                ? .ok(.topology, "moving-slots", "none")
                : .skipped(.topology, "moving-slots", "not permitted (+cluster|nodes)")
        }
        let names = moving.prefix(5).map(String.init).joined(separator: ", ") + (moving.count > 5 ? ", …" : "")
        return .warn(
            .topology, "moving-slots",
            "Slots are on their way from one server to another, \(moving.count) of them: \(names).",
            remedy: "Wait until it is over; if nothing is under way, run redis-cli --cluster fix.")
    }

    private var members: Finding {
        let failing = view.members.filter(\.isFailing)
        guard failing.isEmpty else {
            let names = failing.map { "\($0.place) (\($0.flags.sorted().joined(separator: ",")))" }
            return .warn(
                .topology, "members", "The cluster has given up \(names.joined(separator: ", ")).",
                remedy: "Start them again; for one that will not come back, run CLUSTER FORGET at all others.")
        }
        return .ok(.topology, "members", "\(view.members.count) servers, all connected")
    }

    private var replicas: Finding {
        let followed = Set(view.members.filter { !$0.isPrimary && !$0.isFailing }.compactMap(\.primaryID))
        let alone = view.members.filter {
            $0.isPrimary && !$0.isFailing && !$0.slots.isEmpty && !followed.contains($0.id)
        }
        guard alone.isEmpty else {
            return .warn(
                .topology, "cluster-replicas",
                "No replica would take the place of \(alone.map(\.place.description).joined(separator: ", ")): the users of "
                    + "their slots would be refused until they are back.",
                remedy: "Add a replica to each: redis-cli --cluster add-node … --cluster-slave.")
        }
        return .ok(.topology, "cluster-replicas", "each primary has one")
    }
}
