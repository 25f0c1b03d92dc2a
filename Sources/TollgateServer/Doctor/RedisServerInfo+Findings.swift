import TollgateStore

/// What `INFO` tells of a server's health, judged. The one place of these rules: the operator's overview shows those that
/// are broken, `tollgate doctor` all.
extension RedisServerInfo {
    /// The worst first.
    var findings: [Finding] {
        [role, evictions, evictionPolicy, memory, appendOnlyFileWrites, snapshot, appendOnlyFile].compactMap(\.self)
    }

    private var role: Finding? {
        switch self["role"] {
        case "slave":
            .fail(
                .topology, "role", "This server is a replica and takes no writes: every call is refused.",
                remedy: "Have REDIS_URL lead to the primary.")
        case "master": .ok(.topology, "role", "a primary, which takes writes")
        default: nil
        }
    }

    private var evictions: Finding? {
        guard let count = integer("evicted_keys") else { return nil }
        guard count > 0 else { return .ok(.memory, "keys-evicted", "no key was thrown away") }
        return .warn(
            .memory, "keys-evicted",
            "Redis has thrown away \(count) \(count == 1 ? "key" : "keys") for want of memory: counts, plans or API keys "
                + "may be gone.",
            remedy: "Set maxmemory-policy to noeviction, and raise maxmemory.")
    }

    private var evictionPolicy: Finding? {
        guard let policy = self["maxmemory_policy"] else { return nil }
        guard policy != "noeviction" else { return .ok(.memory, "eviction-policy", "noeviction") }
        return .warn(
            .memory, "eviction-policy",
            "With maxmemory-policy \(policy) Redis may throw away counts, plans and API keys when memory runs short.",
            remedy: "Run CONFIG SET maxmemory-policy noeviction, and write it into redis.conf.")
    }

    private var memory: Finding? {
        guard let used = integer("used_memory") else { return nil }
        guard let limit = integer("maxmemory"), limit > 0 else { return memoryOfMachine(used: used) }
        guard used <= limit / 10 * 9 else {
            return .warn(
                .memory, "memory",
                "Redis uses more than 90 % of its maxmemory; once that is full, calls are refused with 503.",
                remedy: "Raise maxmemory.")
        }
        return .ok(.memory, "memory", "\(Self.size(used)) of a maxmemory of \(Self.size(limit))")
    }

    /// Without a limit of its own, Redis grows until the system ends it.
    private func memoryOfMachine(used: Int) -> Finding {
        guard let total = integer("total_system_memory"), total > 0 else {
            return .ok(.memory, "memory", "\(Self.size(used)), and no maxmemory")
        }
        guard used <= total / 4 * 3 else {
            return .warn(
                .memory, "memory",
                "Redis uses more than 75 % of its machine's \(Self.size(total)) and has no maxmemory: the system may end "
                    + "it.",
                remedy: "Give it more memory, and set maxmemory below what the machine has.")
        }
        return .ok(
            .memory, "memory",
            "\(Self.size(used)) of its machine's \(Self.size(total)), and no maxmemory: set one before it grows")
    }

    private var appendOnlyFileWrites: Finding? {
        guard self["aof_enabled"] == "1" else { return nil }
        let states = ["aof_last_write_status", "aof_last_bgrewrite_status"].compactMap { self[$0] }
        guard states.contains(where: { $0 != "ok" }) else {
            return .ok(.persistence, "append-only-file-writes", "the last writes went well")
        }
        return .fail(
            .persistence, "append-only-file-writes", "Redis cannot write its append-only file.",
            remedy: "Look into Redis' log; most often the disk is full.")
    }

    private var snapshot: Finding? {
        guard let state = self["rdb_last_bgsave_status"] else { return nil }
        guard state != "ok" else { return .ok(.persistence, "snapshot", "the last one went well") }
        return .fail(
            .persistence, "snapshot", "Redis could not save its last snapshot, and may refuse writes until it can.",
            remedy: "Look into Redis' log; most often the disk is full.")
    }

    private var appendOnlyFile: Finding? {
        switch self["aof_enabled"] {
        case "0":
            .warn(
                .persistence, "append-only-file",
                "Without an append-only file, counts and keys since the last snapshot are lost when Redis stops.",
                remedy: "Run CONFIG SET appendonly yes, and write it into redis.conf.")
        case "1": .ok(.persistence, "append-only-file", "every write goes into it")
        default: nil
        }
    }

    /// Such as `1.5 GB`.
    static func size(_ bytes: Int) -> String {
        let units = [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)]
        guard let (name, unit) = units.first(where: { bytes >= $0.1 }) else { return "\(bytes) bytes" }
        return "\((Double(bytes) / Double(unit) * 10).rounded() / 10) \(name)"
    }
}
