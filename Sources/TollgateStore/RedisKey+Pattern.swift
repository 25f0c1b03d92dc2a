extension RedisKey {
    /// How the names of the keys of one sort look. ``rows`` has a row for each. The reference of Redis keys is made of them;
    /// what Redis' ACL permits and what `tollgate doctor` takes for another program's key follow from them.
    package enum Pattern: Int, Sendable, Hashable, CaseIterable {
        case usage, usageOfTenDays, platformID, apiKey, previousAPIKey, platformUser, platformOfAPIKey, keys, endedKeys
        case keyChanges, key, keyOwner, reservations, booked, idempotentCall, idempotencyKeys, keptAnswers, subscription
        case subscriptions, subscriptionEnds, checkoutTurn, clerkTurn, customerUser, webhook, waitingWebhooks,
            reconciliation
        case reconciliationLease, worker, readinessProbe, workers, topUsers, users, adminTokens, audit
        case unpricedSubscriptions, requests, ticket, rateLimit, rateLimitOfRoute
        case alerts, alertsDue, alertsDelivered, alertsDead, alertSweep, alertSweepLease, alerted, keysExpiring
    }
}

extension RedisKey.Pattern {
    /// What `TYPE` answers.
    package enum ValueType: String, Sendable, Hashable {
        case string
        case hash
        case sortedSet = "zset"
        case stream
    }

    /// Whether a key ends by itself.
    package enum Lifetime: Sendable, Hashable {
        /// It always has a TTL.
        case ends
        /// It has none as long as what it stands for lives.
        case mayStay
    }

    /// All that is said of a pattern.
    struct Row: Sendable {
        let pattern: RedisKey.Pattern
        let template: String
        let type: ValueType
        let lifetime: Lifetime
        let kept: String
        let holds: String
        let look: String

        /// What stands between the places of the template. Nothing stands behind the third place.
        let literals: (String, String, String)

        /// - Parameters:
        ///   - template: As ``RedisKey/Pattern/template`` says.
        ///   - kept: How long, for the reference.
        ///   - holds: What the value is, for the reference.
        ///   - look: The arguments of `redis-cli` that show it.
        init(
            _ pattern: RedisKey.Pattern, _ template: String, _ type: ValueType, _ lifetime: Lifetime, kept: String,
            holds: String, look: String
        ) {
            self.pattern = pattern
            self.template = template
            self.type = type
            self.lifetime = lifetime
            self.kept = kept
            self.holds = holds
            self.look = look
            literals = Self.literals(of: template)
        }

        /// The braces around a place are part of the name, the angle brackets are not.
        private static func literals(of template: String) -> (String, String, String) {
            var literals = [""]
            var isInPlace = false
            for character in template {
                switch character {
                case "}", ">":
                    isInPlace = false
                    literals.append(character == "}" ? "}" : "")
                case "{", "<":
                    isInPlace = true
                    if character == "{" { literals[literals.count - 1].append(character) }
                default: if !isInPlace { literals[literals.count - 1].append(character) }
                }
            }
            literals += ["", "", ""]
            return (literals[0], literals[1], literals[2])
        }
    }

    private var row: Row { Self.rows[rawValue] }

    /// Such as `usage:{userId}:<day>`. What stands in braces stands for an identifier in braces, which has none itself;
    /// what stands in angle brackets for a word without a colon.
    var template: String { row.template }

    /// What the value is.
    package var type: ValueType { row.type }

    /// Whether the key ends by itself.
    package var lifetime: Lifetime { row.lifetime }

    /// The hot path takes them from here, and nothing else of the row.
    private static let literals = rows.map(\.literals)

    var literals: (String, String, String) { Self.literals[rawValue] }

    /// The pattern of the key `name`. Nil for one that Tollgate does not write.
    init?(of name: String) {
        guard
            let pattern = Self.allCases.first(where: { $0.template == name })
                ?? Self.allCases.first(where: { $0.describes(name) })
        else { return nil }
        self = pattern
    }

    /// What Redis' ACL calls names like this: up to the first colon they are the same. Two patterns may share one.
    var aclPattern: String {
        guard template.contains("{"), let colon = template.firstIndex(of: ":") else { return template }
        return template[...colon] + "*"
    }

    /// The row of the reference, in Markdown: name, type, value, how long it is kept, and the command that shows it.
    var markdownRow: String {
        let type = type == .sortedSet ? "sorted set" : type.rawValue
        return "| `\(template)` | \(type) | \(row.holds) | \(row.kept) | `redis-cli \(row.look)` |"
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
