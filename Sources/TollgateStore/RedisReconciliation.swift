import Hiredis
package import RedisClient
package import TollgateCore

/// What is known of the reconciliations with the payment provider, and whose turn it is: one worker at a time.
package struct RedisReconciliation: Sendable {
    /// How long a worker that dies keeps the others from it. One that works on takes the lease anew with each step.
    package static let leaseSeconds = 60

    private let lease: RedisLease
    private let client: RedisClient

    package init(client: RedisClient) {
        self.client = client
        lease = RedisLease(client: client, key: .reconciliationLease, milliseconds: Self.leaseSeconds * 1000)
    }

    /// Takes the turn, or makes it last. False when another worker has it.
    ///
    /// - Parameter token: Names this worker's turn among all others; random.
    package func hold(token: String) async throws(StoreUnavailable) -> Bool {
        try await lease.hold(token: token)
    }

    /// Gives the turn back.
    package func release(token: String) async throws(StoreUnavailable) {
        try await lease.release(token: token)
    }

    /// What the last runs have found. Nil when there was none.
    package func history() async throws(StoreUnavailable) -> ReconciliationHistory? {
        let reply = try await client.ask(RedisCommand("HGETALL", .reconciliation))
        guard let fields = (reply.array ?? []).hashFields else { throw .unexpectedReply(of: "HGETALL") }
        return ReconciliationHistory.schema.value(in: fields)
    }

    /// Has a worker go through all subscriptions soon.
    package func ask(at time: UnixTime) async throws(StoreUnavailable) {
        _ = try await client.ask(RedisCommand("HSET", .reconciliation, Self.askedAt, time.iso8601))
    }

    /// When an operator has asked for that last. Nil: never.
    package func askedAt() async throws(StoreUnavailable) -> UnixTime? {
        try await client.ask(RedisCommand("HGET", .reconciliation, Self.askedAt)).string
            .flatMap { UnixTime(iso8601: $0) }
    }

    /// Beside the fields of the history, which each run writes.
    private static let askedAt = "askedAt"

    package func write(_ history: ReconciliationHistory) async throws(StoreUnavailable) {
        _ = try await client.ask(
            RedisCommand("HSET", .reconciliation, ReconciliationHistory.schema.fields(of: history)))
    }
}

extension ReconciliationHistory {
    static let schema = HashSchema(
        ReconciliationHistory.init(ranAt:wentThroughAllAt:eventsSeenUntil:checked:mended:failures:terms:),
        HashRow(\.ranAt, "ranAt", .moment),
        HashRow(\.wentThroughAllAt, "wentThroughAllAt", .optional(.moment)),
        HashRow(\.eventsSeenUntil, "eventsSeenUntil", .moment),
        HashRow(\.checked, "checked", .orElse(0, .number)),
        HashRow(\.mended, "mended", .orElse(0, .number)),
        HashRow(\.failures, "failures", .orElse(0, .number)),
        HashRow(\.terms, "terms", .optional(.text)))
}
