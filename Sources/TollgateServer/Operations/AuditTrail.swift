import HTTPTypes
import JSONValue
import Logging
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// What operators have changed: each change leaves an entry.
struct AuditTrail: Sendable {
    let log: RedisAuditLog
    let logger: Logger

    /// What came of a change.
    struct Outcome: Sendable {
        let answer: OperatorAnswer

        /// How it was and is, for people.
        var before: String?
        var after: String?
    }

    /// Has a change made that leaves an entry, whatever happens in between: the entry is written before, as one that was
    /// begun, and anew when it is known what came of it. Users' records and the audit may be of two servers of a cluster, so
    /// that no one command writes both.
    ///
    /// - Parameters:
    ///   - action: Such as `users.block`.
    ///   - subject: Whom or what it is done to.
    ///   - change: Throws an `APIError` when nothing is changed.
    func record(
        _ action: String, _ subject: String?, _ request: OperatorRequest, _ change: () async throws -> Outcome
    ) async throws -> OperatorAnswer {
        let begun: String
        do {
            begun = try await log.add(entry(action, subject, request, isBegun: true))
        } catch {
            throw APIError.unavailable(toOperators: error, consequence: "Nothing was changed.")
        }
        let outcome: Outcome
        do {
            outcome = try await change()
        } catch let error as StoreUnavailable {
            throw APIError.unavailable(toOperators: error, consequence: Self.mayBeDone)
        } catch let error as APIError where error.status.code >= 500 {
            throw error
        } catch let error as APIError {
            try? await log.remove(begun)
            throw error
        }
        logger.notice(
            "an operator has changed something",
            metadata: ["who": "\(request.call.identity.name)", "what": "\(action)", "whom": "\(subject ?? "-")"])
        do {
            _ = try await log.add(
                entry(action, subject, request, before: outcome.before, after: outcome.after))
            try await log.remove(begun)
        } catch {
            // It is done, and what the audit says of it is true.
            logger.warning(
                "the audit says of a change only that it was begun",
                metadata: ["what": "\(action)", "whom": "\(subject ?? "-")", "cause": "\(error.reason)"])
        }
        return outcome.answer
    }

    /// Repeated blindly, it would be done twice.
    private static let mayBeDone =
        "It may be done, and the audit says that it was begun: look before you repeat it."

    private func entry(
        _ action: String, _ subject: String?, _ request: OperatorRequest, before: String? = nil, after: String? = nil,
        isBegun: Bool = false
    ) -> AuditEntry {
        AuditEntry(
            time: request.time, who: request.call.identity.name, action: action, subject: subject, before: before,
            after: after, isBegun: isBegun)
    }

    var endpoints: [OperatorEndpoint] { [.init(.get, "audit", .viewer, list)] }

    @Sendable private func list(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let limit = try request.number("limit", in: 1...1000, orElse: 100)
        let before = request.call.query["before"]
        if let before, before.wholeMatch(of: /[1-9][0-9]{0,17}-[0-9]{1,18}/) == nil {
            throw APIError.badRequest("'before' takes the 'next' of the page before.")
        }
        let subject = request.call.query["subject"]
        let page = try await log.entries(
            before: before, maximumCount: limit, where: subject.map { subject in { $0.subject == subject } })
        return OperatorAnswer([
            "entries": .array(page.entries.map(Self.json)), "next": .text(page.next),
        ])
    }

    private static func json(of entry: AuditEntry) -> JSON {
        [
            "time": .moment(entry.time), "who": .string(entry.who), "action": .string(entry.action),
            "subject": .text(entry.subject), "before": .text(entry.before), "after": .text(entry.after),
            "state": entry.isBegun ? "begun" : "done",
        ]
    }
}
