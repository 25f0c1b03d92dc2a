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
        ]
    }

    @Sendable private func list(_ request: OperatorRequest) async throws(APIError) -> OperatorAnswer {
        let limit = try request.number("limit", in: 1...1000, orElse: 100)
        do throws(StoreUnavailable) {
            let waiting = try await backlog.waiting(limit)
            let last = try await reconciliation.history()
            return OperatorAnswer([
                "waiting": .integer(waiting.count),
                "events": .array(
                    waiting.events.map { ["id": .string($0.id), "state": "waiting", "since": .moment($0.since)] }),
                "reconciliation": last.map {
                    ["ranAt": .moment($0.ranAt), "checked": .integer($0.checked), "mended": .integer($0.mended)]
                } ?? .null,
            ])
        } catch {
            throw .unavailable(cause: error.reason)
        }
    }

    @Sendable private func replay(_ request: OperatorRequest) async throws(APIError) -> OperatorAnswer {
        let id = request.parameters["event"] ?? ""
        guard let replayer else {
            throw APIError(
                .conflict, error: "Stripe not configured", code: "stripe-not-configured",
                message: "Set STRIPE_SECRET_KEY: an event is read from Stripe before it is carried out again.")
        }
        let outcome: String
        do { outcome = try await replayer.replay(id) } catch { throw error.apiError }
        do throws(StoreUnavailable) {
            if outcome != EventReplayer.unknown { try await backlog.remove(eventID: id) }
            try await audit.note("events.replay", id, after: outcome, request)
        } catch {
            throw .unavailable(cause: error.reason)
        }
        guard outcome != EventReplayer.unknown else {
            throw APIError(
                .notFound, error: "Event not found", code: "event-not-found",
                message: "Stripe has no such event, or it is older than 30 days. tollgate reconcile mends what it told."
            )
        }
        return OperatorAnswer(["id": .string(id), "outcome": .string(outcome)])
    }
}
