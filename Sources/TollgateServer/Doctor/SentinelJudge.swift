import RedisClient
import TollgateStore

/// Judges what the sentinels say of a primary.
struct SentinelJudge: Sendable {
    /// What the sentinels call the primary.
    let primary: String

    /// What each of the sentinels in the configuration says, or why it says nothing.
    let sightings: [(place: HostAndPort, facts: Result<SentinelFacts, RedisProbe.Unreachable>)]

    private var answers: [SentinelFacts] { sightings.compactMap { try? $0.facts.get() } }

    /// Of the sentinel that knows the latest failover.
    var latest: SentinelFacts? { answers.max { $0.epoch < $1.epoch } }

    var findings: [Finding] {
        guard let latest else {
            let reasons = sightings.map { "\($0.place): \(($0.facts.failure?.reason) ?? "?")" }
            return [
                .fail(
                    .topology, "sentinels",
                    "No sentinel tells where '\(primary)' is: \(reasons.joined(separator: "; ")).",
                    remedy:
                        "Correct the sentinels in REDIS_URL, their login (REDIS_SENTINEL_PASSWORD), or the primary's "
                        + "name, which is in their 'sentinel monitor'.")
            ]
        }
        return [reachability, agreement(latest), majority(latest), health(latest), successors(latest)]
            .compactMap(\.self)
    }

    private var reachability: Finding {
        let silent = sightings.compactMap { sighting in
            sighting.facts.failure.map { "\(sighting.place): \($0.reason)" }
        }
        guard silent.isEmpty else {
            return .warn(
                .topology, "sentinels",
                "\(silent.count) of \(sightings.count) do not answer: \(silent.joined(separator: "; ")).",
                remedy: "Start them, or correct REDIS_URL and the login at the sentinels.")
        }
        return .ok(.topology, "sentinels", "all \(sightings.count) answer")
    }

    private func agreement(_ latest: SentinelFacts) -> Finding {
        let places = Set(answers.map(\.primary))
        guard places.count == 1 else {
            let names = places.map(\.description).sorted().joined(separator: ", ")
            return .warn(
                .topology, "sentinels-agree", "They do not agree on where the primary is: \(names).",
                remedy:
                    "Wait until a failover is over; if it stays so, have the one that is wrong forget it: SENTINEL RESET "
                    + "\(primary).")
        }
        return .ok(.topology, "sentinels-agree", "the primary is \(latest.primary)")
    }

    /// A failover takes the votes of more than half of all sentinels, whatever the quorum.
    private func majority(_ latest: SentinelFacts) -> Finding {
        let (known, quorum) = (latest.sentinels, latest.quorum)
        guard quorum <= known else {
            return .fail(
                .topology, "quorum",
                "The quorum is \(quorum), and there are \(known) sentinels: they can decide nothing.",
                remedy: "Run SENTINEL SET \(primary) quorum \(known / 2 + 1) at each, or start more.")
        }
        guard answers.count * 2 > known || sightings.count < known else {
            return .fail(
                .topology, "quorum",
                "\(answers.count) of \(known) sentinels answer: they can decide nothing.",
                remedy: "Start the others; a failover takes the votes of more than half.")
        }
        guard known >= 3 else {
            return .warn(
                .topology, "quorum",
                "There are \(known) sentinels: with one of them gone, no failover can be decided.",
                remedy: "Run three or more, each on a machine of its own.")
        }
        return .ok(.topology, "quorum", "\(quorum) of \(known) sentinels")
    }

    private func health(_ latest: SentinelFacts) -> Finding? {
        guard latest.flags.contains("o_down") || latest.flags.contains("s_down") else { return nil }
        return .fail(
            .topology, "primary-down", "The sentinels think that the primary \(latest.primary) is away.",
            remedy: "Wait for the failover; if none comes, see the sentinels' logs and whether a replica is left.")
    }

    private func successors(_ latest: SentinelFacts) -> Finding {
        guard latest.replicaCount > 0 else {
            return .warn(
                .topology, "successors", "The primary has no replica: there is nothing to fail over to.",
                remedy: "Start a replica with REPLICAOF \(latest.primary.host) \(latest.primary.port).")
        }
        if latest.replicas == nil {
            return .skipped(.topology, "successors", "not permitted (+sentinel|replicas)")
        }
        return .ok(.topology, "successors", "\(latest.replicaCount) known to the sentinels")
    }
}
