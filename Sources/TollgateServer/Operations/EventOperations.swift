import HTTPTypes
import JSONValue
import StripeBilling
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// What operators do about Stripe's events.
struct EventOperations: Sendable {
    let backlog: RedisWebhookBacklog
    let reconciliation: RedisReconciliation

    /// Nil when no key for Stripe is set.
    let replayer: EventReplayer?
    let audit: AuditTrail

    var endpoints: [OperatorEndpoint] {
        [
            .init(.get, "events", .viewer, list), .init(.post, "events/{event}/replay", .support, replay),
            .init(.get, "reconciliation", .viewer, tellReconciliation),
            .init(.post, "reconciliation", .support, reconcile),
        ]
    }

    @Sendable private func list(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let limit = try request.number("limit", in: 1...1000, orElse: 100)
        let waiting = try await backlog.waiting(limit)
        return OperatorAnswer([
            "waiting": .integer(waiting.count),
            "events": .array(
                waiting.events.map { ["id": .string($0.id), "state": "waiting", "since": .moment($0.since)] }),
            "reconciliation": try await reconciliation.history()?.json ?? .null,
        ])
    }

    @Sendable private func replay(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let id = request.parameters["event"] ?? ""
        guard let replayer else { throw Self.notConfigured }
        return try await audit.record("events.replay", id, request) {
            let outcome: String
            do throws(WebhookFailure) { outcome = try await replayer.replay(id) } catch { throw error.apiError }
            guard outcome != EventReplayer.unknown else { throw Self.unknown }
            try await backlog.remove(eventID: id)
            return AuditTrail.Outcome(
                answer: OperatorAnswer(["id": .string(id), "outcome": .string(outcome)]), after: outcome)
        }
    }

    private static let notConfigured = APIError(
        .conflict, error: "Stripe not configured", code: "stripe-not-configured",
        message: "Set STRIPE_SECRET_KEY: what is to be carried out again is read from Stripe first.")

    private static let unknown = APIError(
        .notFound, error: "Event not found", code: "event-not-found",
        message: "Stripe has no such event, or it is older than 30 days. tollgate reconcile mends what it told.")

    /// Has the workers go through all subscriptions at Stripe: one of them begins within half a minute.
    @Sendable private func reconcile(_ request: OperatorRequest) async throws -> OperatorAnswer {
        guard replayer != nil else { throw Self.notConfigured }
        return try await audit.record("reconcile", nil, request) {
            try await reconciliation.ask(at: request.time)
            return AuditTrail.Outcome(
                answer: OperatorAnswer(status: 202, ["askedAt": .moment(request.time), "isAwaited": true]))
        }
    }

    /// What the last reconciliation has found, and whether one is asked for that has not ended.
    @Sendable private func tellReconciliation(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let (last, askedAt) = (try await reconciliation.history(), try await reconciliation.askedAt())
        return OperatorAnswer([
            "askedAt": .moment(askedAt), "isAwaited": .bool(ReconciliationHistory.isAwaited(askedAt: askedAt, last)),
            "last": last?.json ?? .null,
        ])
    }
}

extension ReconciliationHistory {
    fileprivate var json: JSON {
        [
            "ranAt": .moment(ranAt), "wentThroughAllAt": .moment(wentThroughAllAt), "checked": .integer(checked),
            "mended": .integer(mended), "failures": .integer(failures),
        ]
    }
}
