/// A kind of key that Tollgate writes: how its names look, what it holds, and whether it ends by itself. ``all`` is the
/// README's table; what Redis' ACL has to permit, and what `tollgate doctor` takes for a stranger's key, follow from it.
package struct KeyKind: Sendable, Hashable {
    /// What `TYPE` answers.
    package enum Value: String, Sendable, Hashable {
        case string
        case hash
        case sortedSet = "zset"
    }

    package enum Life: Sendable, Hashable {
        /// It always has a TTL.
        case ends
        /// It has none as long as what it stands for lives.
        case mayStay
    }

    /// Such as `usage:{userId}:<day>`. What stands in braces stands for an identifier in braces, which has none itself;
    /// what stands in angle brackets for a word without a colon.
    package let template: String

    package let value: Value
    package let life: Life

    private init(_ template: String, _ value: Value, _ life: Life) {
        self.template = template
        self.value = value
        self.life = life
    }

    package static let all: [KeyKind] = [
        KeyKind("usage:{userId}", .hash, .ends),
        KeyKind("usage:{userId}:<day>", .hash, .ends),
        KeyKind("user:{userId}:platformId", .string, .mayStay),
        KeyKind("user:{userId}:apiKey", .string, .mayStay),
        KeyKind("user:{userId}:previousApiKey", .hash, .ends),
        KeyKind("platform:{platformId}:userId", .string, .mayStay),
        KeyKind("apikey:{sha256 of the key}", .string, .mayStay),
        KeyKind("keys:{userId}", .sortedSet, .mayStay),
        KeyKind("keys:{userId}:ended", .sortedSet, .ends),
        KeyKind("keys:{userId}:changes:<minute or day>", .string, .ends),
        KeyKind("key:{userId}:{keyId}", .hash, .mayStay),
        KeyKind("reservations:{userId}", .sortedSet, .ends),
        KeyKind("idempotency:{userId}:{key}", .hash, .ends),
        KeyKind("idempotency:{userId}", .sortedSet, .ends),
        KeyKind("idempotency:{userId}:answers", .sortedSet, .ends),
        KeyKind("booked:{userId}", .hash, .ends),
        KeyKind("subscription:{userId}", .hash, .mayStay),
        KeyKind("subscription:{userId}:clerk", .string, .ends),
        KeyKind("customer:{customerId}:userId", .string, .mayStay),
        KeyKind("webhook:stripe:{eventId}", .string, .ends),
        KeyKind("webhooks:waiting", .sortedSet, .mayStay),
        KeyKind("worker:{id}", .hash, .ends),
        KeyKind("worker:{readiness probe}", .string, .ends),
        KeyKind("workers", .sortedSet, .mayStay),
        KeyKind("topusers:{day}", .sortedSet, .ends),
        KeyKind("ticket:{userId}:{sha256 of the ticket}", .string, .ends),
        KeyKind("ratelimit:{userId}:<minute>", .string, .ends),
        KeyKind("ratelimit:{userId}:<route>:<minute>", .string, .ends),
    ]

    /// The kind of the key `name`. Nil for one that Tollgate does not write.
    package init?(of name: String) {
        guard
            let kind = Self.all.first(where: { $0.template == name })
                ?? Self.all.first(where: { $0.describes(name) })
        else { return nil }
        self = kind
    }

    /// What Redis' ACL calls names like this: up to the first colon they are the same. Two kinds may share one.
    package var aclPattern: String {
        guard template.contains("{"), let colon = template.firstIndex(of: ":") else { return template }
        return template[...colon] + "*"
    }

    private func describes(_ name: String) -> Bool {
        var (pattern, rest) = (template.utf8[...], name.utf8[...])
        while let byte = pattern.popFirst() {
            switch byte {
            case UInt8(ascii: "{"):
                guard rest.popFirst() == byte, rest.takeRun(until: "{}") else { return false }
                _ = pattern.takeRun(until: "}")
            case UInt8(ascii: "<"):
                guard rest.takeRun(until: ":{}") else { return false }
                _ = pattern.takeRun(until: ">")
                pattern = pattern.dropFirst()
            default:
                guard rest.popFirst() == byte else { return false }
            }
        }
        return rest.isEmpty
    }
}

extension Substring.UTF8View {
    /// Takes the bytes up to the first of `ends`.
    ///
    /// - Returns: Whether there was any.
    fileprivate mutating func takeRun(until ends: String) -> Bool {
        let ends = ends.utf8
        let run = prefix { !ends.contains($0) }
        self = dropFirst(run.count)
        return !run.isEmpty
    }
}
