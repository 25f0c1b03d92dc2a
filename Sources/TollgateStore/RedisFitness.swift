package import Hiredis

/// What tells whether metered calls can be made: the kinds of command that an admission takes, on keys of a user who
/// does not exist. A server that answers PING may still be a replica, full, loading, without permissions for us, or one of a
/// cluster's nodes.
package enum RedisFitness {
    /// Part of the probe's keys. No user id has blanks.
    private static let name = "readiness probe"

    /// Slots that are asked about: of a cluster's nodes none has them all.
    private static let slotSamples = 16

    private static let keptSeconds = 60

    /// Each of them is answered by a server that is fit, the script's call with NOSCRIPT.
    package static let probe: [RedisCommand] =
        [
            RedisCommand("SET", "worker:{\(name)}", "1", "EX", "\(keptSeconds)"),
            RedisCommand(
                "EVALSHA", String(repeating: "0", count: 40), "3", "ratelimit:{\(name)}:0", "usage:{\(name)}",
                "subscription:{\(name)}"),
        ] + (1...slotSamples).map { RedisCommand("EXISTS", "usage:{\(name) \($0)}") }
}
