import TollgateStore

extension PermissionFacts {
    /// - Parameter user: Whom the worker logs in as.
    func findings(user: String) -> [Finding] {
        [commands(user), keys(user), unknown, writes].compactMap(\.self)
    }

    private func commands(_ user: String) -> Finding {
        guard !forbiddenCommands.isEmpty else {
            return .ok(.permissions, "commands", "every one that workers send")
        }
        let names = forbiddenCommands.joined(separator: ", ")
        let remedy = "ACL SETUSER \(user) \(forbiddenCommands.map { "+\($0)" }.joined(separator: " "))"
        guard !RedisPermissions.dispensable.isSuperset(of: forbiddenCommands) else {
            return .warn(
                .permissions, "commands",
                "'\(user)' may not run \(names): workers do without, and Redis notes each refusal in its ACL LOG.",
                remedy: remedy)
        }
        return .fail(.permissions, "commands", "'\(user)' may not run \(names).", remedy: remedy)
    }

    private func keys(_ user: String) -> Finding {
        guard !forbiddenPatterns.isEmpty else {
            guard untriedPatterns.isEmpty else {
                return .skipped(.permissions, "key-patterns", "the commands that show it are not permitted")
            }
            return .ok(.permissions, "key-patterns", "every one that workers use")
        }
        return .fail(
            .permissions, "key-patterns",
            "'\(user)' may not read and write keys of \(forbiddenPatterns.joined(separator: ", ")).",
            remedy: "ACL SETUSER \(user) \(forbiddenPatterns.map { "~\($0)" }.joined(separator: " "))")
    }

    private var unknown: Finding? {
        guard !unknownCommands.isEmpty else { return nil }
        return .fail(
            .redis, "commands", "The server does not know \(unknownCommands.joined(separator: ", ")).",
            remedy: "Use Redis 6.2 or newer or Valkey, without renamed commands.")
    }

    private var writes: Finding? {
        guard let refusal = refusals.first else { return nil }
        return .fail(
            .redis, "writes", "Redis refuses what a worker does: \(refusal)", remedy: ServerError.remedy(for: refusal))
    }
}

/// What to do about an error that Redis answers with.
enum ServerError {
    /// - Parameter message: The error, whole or within other words.
    static func remedy(for message: String) -> String {
        remedies.first { message.contains($0.key) }?.value
            ?? "Look the error up in Redis' documentation, and into Redis' log."
    }

    private static let remedies = [
        ("OOM", "Raise maxmemory, or let Redis keep less."),
        ("MISCONF", "Redis cannot save: make room on its disk, and look into its log."),
        ("NOREPLICAS", "Bring the replicas back, or lower min-replicas-to-write until they are."),
        ("READONLY", "Have REDIS_URL lead to the primary."),
        ("MASTERDOWN", "Have REDIS_URL lead to the primary."),
        ("LOADING", "Wait until Redis has read its data."),
        ("MOVED", "Begin REDIS_URL with redis-cluster:// or, for TLS, rediss-cluster://."),
        ("CLUSTERDOWN", "See CLUSTER INFO and CLUSTER NODES for what is missing."),
        ("NOAUTH", "Give the password in REDIS_URL: redis://[user]:password@host."),
        ("NOPERM", "Compare Redis' ACL with deploy/redis/users.acl."),
        ("undeclared", "Start Dragonfly with --default_lua_flags=allow-undeclared-keys."),
    ].map { (key: $0, value: $1) }
}
