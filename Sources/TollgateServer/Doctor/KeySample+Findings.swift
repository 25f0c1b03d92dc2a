import TollgateStore

extension KeySample {
    var findings: [Finding] { [ttl, types, names] }

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
