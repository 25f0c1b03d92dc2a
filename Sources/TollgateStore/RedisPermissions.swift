import Hiredis

/// What a worker's login has to be allowed at Redis: every command that workers send or that their scripts call, and every
/// pattern that names of their keys have. The one list of it: `tollgate doctor` goes by it, and a test holds it together
/// with the user `gateway` of `deploy/redis/users.acl`.
package enum RedisPermissions {
    /// A command that is needed.
    package struct Command: Sendable, Hashable {
        /// As in a rule of Redis' ACL, such as `hset` or `client|setname`.
        package let name: String

        /// How it is tried: on the keys of a user who does not exist, without harm.
        let trial: RedisCommand

        /// The arguments of ``trial`` for a script, which calls it. Nil for one that no script may call; that is about no
        /// key then.
        let scripted: [String]?
    }

    /// - Parameters:
    ///   - name: Stands for the user in the keys that the commands are tried on.
    ///   - database: The one that the connection is in.
    ///   - inCluster: Whether the server is one of a cluster's, which takes some more.
    package static func commands(triedOn name: String = "doctor", in database: Int = 0, inCluster: Bool = false)
        -> [Command]
    {
        let (string, hash, set) = ("ratelimit:{\(name)}:0", "usage:{\(name)}", "reservations:{\(name)}")
        let stream = "booked:{\(name)}"
        func direct(_ arguments: String..., as rule: String? = nil) -> Command {
            Command(name: rule ?? arguments[0], trial: RedisCommand(arguments: arguments), scripted: nil)
        }
        func command(_ arguments: String...) -> Command {
            Command(name: arguments[0], trial: RedisCommand(arguments: arguments), scripted: arguments)
        }
        let ofCluster = [
            direct("cluster", "info", as: "cluster|info"), direct("cluster", "shards", as: "cluster|shards"),
            direct("cluster", "slots", as: "cluster|slots"), direct("asking"),
        ]
        return (inCluster ? ofCluster : []) + [
            direct("evalsha", String(repeating: "0", count: 40), "0"), direct("eval", "return 1", "0"),
            direct("script", "load", "return 1", as: "script|load"), direct("time"), direct("ping"),
            direct("client", "setname", "tollgate-doctor", as: "client|setname"),
            direct("select", "\(database)"), command("info"),
            command("get", string), command("set", string, "1", "EX", "60"), command("getdel", string),
            command("mget", string), command("hget", hash, "x"), command("hmget", hash, "x"),
            // Each that makes a key is followed by its end, for the last one may not come any more.
            command("hset", hash, "x", "1"), command("hsetnx", hash, "x", "1"), command("expire", hash, "60"),
            command("hgetall", hash),
            command("hlen", hash), command("hscan", hash, "0"), command("hdel", hash, "x"),
            command("hincrby", hash, "x", "1"), command("zadd", set, "1", "x"),
            command("expire", set, "60"), command("zrem", set, "y"),
            command("zcard", set), command("zscore", set, "x"), command("zrange", set, "0", "-1"),
            command("zrangebyscore", set, "-inf", "+inf"),
            command("zscan", set, "0"), command("zincrby", set, "1", "x"),
            command("zremrangebyscore", set, "-inf", "0"),
            command("zremrangebyrank", set, "5", "5"), command("exists", string), command("pttl", string),
            command("incr", string), command("xadd", stream, "MAXLEN", "~", "10", "*", "x", "1"),
            command("expire", stream, "60"), command("xrevrange", stream, "+", "-", "COUNT", "1"),
            command("xdel", stream, "1-1"),
            command("expire", string, "60"),
            // Takes away what the others have left.
            command("del", string, hash, set, stream),
        ]
    }

    /// Commands of ``commands(triedOn:in:inCluster:)`` that workers can do without.
    package static let dispensable: Set<String> = ["client|setname", "script|load"]

    /// Such as `usage:*`, in the order of ``RedisKey/Pattern``.
    package static var keyPatterns: [String] {
        RedisKey.Pattern.allCases.map(\.aclPattern).reduce(into: []) { patterns, pattern in
            if !patterns.contains(pattern) { patterns.append(pattern) }
        }
    }

    /// How it is tried whether keys of a pattern may be read and written. Nothing is changed by it.
    static func trials(ofPattern pattern: String, on name: String) -> [[String]] {
        if pattern.hasSuffix("*") {
            let key = pattern.dropLast() + "{\(name)}"
            return [["exists", String(key)], ["del", String(key)]]
        }
        return [["exists", pattern], ["zrem", pattern, name]]
    }
}
