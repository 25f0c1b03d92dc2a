import TollgateCore
import TollgateStore

extension KeySample {
    /// - Parameter asked: The scopes that routes ask for. Nil where those of the keys are not judged.
    func findings(asked: Set<KeyScope>?) -> [Finding] {
        [ttl, types, names] + (asked.map { [scopes(asked: $0)] } ?? [])
    }

    /// A key may have any scope, so one that is misspelt shows only here.
    private func scopes(asked: Set<KeyScope>) -> Finding {
        let known = asked.union(KeyScope.management)
        let unasked = scopes.filter { name, _ in KeyScope(name).map { !known.contains($0) } ?? true }
            .sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        guard !unasked.isEmpty else { return .ok(.keys, "scopes", "routes ask for all that keys have") }
        let names = unasked.prefix(3).map { "'\($0.key)' (\($0.value) \($0.value == 1 ? "key" : "keys"))" }
        return .warn(
            .keys, "scopes",
            "Users' keys have \(unasked.count == 1 ? "a scope" : "\(unasked.count) scopes") that no route asks for: "
                + "\(names.joined(separator: ", ")).",
            remedy: asked.isEmpty
                ? "Let the routes ask for scopes, or the keys can do no less than others."
                : "Routes ask for \(asked.map { "'\($0)'" }.sorted().joined(separator: ", ")): correct them in "
                    + "tollgate.yaml, or have the keys made again.")
    }

    private var ttl: Finding {
        guard let first = withoutTTL.first else {
            return .ok(.keys, "ttl", "of \(count) keys each has the TTL that is due")
        }
        return .warn(
            .keys, "ttl", "\(withoutTTL.count) of \(count) keys have no TTL and would stay for ever, such as \(first).",
            remedy: "Another client has made them: give each one with EXPIRE, or delete those that are not needed.")
    }

    private var types: Finding {
        guard let first = ofWrongType.first else { return .ok(.keys, "types", "as they are due") }
        return .warn(
            .keys, "types",
            "\(ofWrongType.count) of \(count) keys hold another type than is due, such as \(first): calls "
                + "that need them answer 503.",
            remedy: "Find out who writes them, and delete them.")
    }

    private var names: Finding {
        let total = strange.values.reduce(0, +)
        guard total > 0 else { return .ok(.keys, "names", "all are Tollgate's") }
        let beginnings = strange.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(3).map { "'\($0.key)'" }
        return .warn(
            .keys, "names",
            "\(total) of \(count) keys are none of Tollgate's; they begin with \(beginnings.joined(separator: ", ")).",
            remedy:
                "Give Tollgate a Redis of its own: another program's keys take its memory, and its FLUSHALL would take "
                + "the counts.")
    }
}
