import JSONValue
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// What operators have changed: each change leaves an entry.
struct AuditTrail: Sendable {
    let log: RedisAuditLog

    /// - Parameters:
    ///   - action: Such as `users.block`.
    ///   - subject: Whom or what it was done to.
    func note(
        _ action: String, _ subject: String?, before: String? = nil, after: String? = nil, _ request: OperatorRequest
    ) async throws(StoreUnavailable) {
        try await log.add(
            AuditEntry(
                time: request.time, who: request.call.identity.name, action: action, subject: subject, before: before,
                after: after))
    }

    var endpoints: [OperatorEndpoint] { [.init(.get, "audit", .viewer, list)] }

    @Sendable private func list(_ request: OperatorRequest) async throws(APIError) -> OperatorAnswer {
        let limit = try request.number("limit", in: 1...1000, orElse: 100)
        let before = request.call.query["before"]
        if let before, before.wholeMatch(of: /[1-9][0-9]{0,17}-[0-9]{1,18}/) == nil {
            throw .badRequest("'before' takes the 'next' of the page before.")
        }
        do {
            let entries = try await log.entries(before: before, maximumCount: limit)
            return OperatorAnswer([
                "entries": .array(entries.map { Self.json(of: $0.entry) }),
                "next": entries.count == limit ? .text(entries.last?.id) : .null,
            ])
        } catch {
            throw .unavailable(cause: error.reason)
        }
    }

    private static func json(of entry: AuditEntry) -> JSON {
        [
            "time": .moment(entry.time), "who": .string(entry.who), "action": .string(entry.action),
            "subject": .text(entry.subject), "before": .text(entry.before), "after": .text(entry.after),
        ]
    }
}
