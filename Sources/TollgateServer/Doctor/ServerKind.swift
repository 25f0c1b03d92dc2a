import TollgateStore

/// Which program answers as Redis, and its version.
enum ServerKind: Sendable, Hashable {
    case redis(version: [Int])
    case valkey(version: [Int])
    case keyDB
    case dragonfly

    /// The oldest Redis with all commands that workers send (GETDEL).
    private static let oldestRedis = [6, 2]

    init?(_ info: RedisServerInfo) {
        if info["dragonfly_version"] != nil {
            self = .dragonfly
        } else if info["executable"]?.contains("keydb") == true || info["mvcc_depth"] != nil {
            self = .keyDB
        } else if let version = info["valkey_version"] {
            self = .valkey(version: Self.numbers(in: version))
        } else if let version = info["redis_version"] {
            self = .redis(version: Self.numbers(in: version))
        } else {
            return nil
        }
    }

    private static func numbers(in version: String) -> [Int] { version.split(separator: ".").map { Int($0) ?? 0 } }

    /// - Parameter version: As the server tells it.
    func finding(version: String) -> Finding {
        switch self {
        case .redis(let numbers) where numbers.lexicographicallyPrecedes(Self.oldestRedis):
            .fail(
                .redis, "version", "Redis \(version) lacks commands that workers send.",
                remedy: "Use Redis 6.2 or newer, or Valkey.")
        case .redis: .ok(.redis, "version", "Redis \(version)")
        case .valkey: .ok(.redis, "version", "Valkey \(version)")
        case .keyDB:
            .warn(
                .redis, "version",
                "KeyDB \(version): Tollgate is not tested with it, and with active replicas two servers would count for "
                    + "themselves.",
                remedy: "Use Redis or Valkey; if it has to be KeyDB, leave active-replica and multi-master off.")
        case .dragonfly:
            .warn(
                .redis, "version",
                "Dragonfly \(version): Tollgate is not tested with it, and its scripts name keys that they do not declare.",
                remedy: "Use Redis or Valkey; if it has to be Dragonfly, start it with "
                    + "--default_lua_flags=allow-undeclared-keys.")
        }
    }
}
