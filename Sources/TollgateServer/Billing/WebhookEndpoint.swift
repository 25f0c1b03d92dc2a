import HTTPTypes
import Hummingbird
import JSONValue
import Logging
import NIOCore
import StripeBilling
import TollgateConfiguration
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// `POST /webhook/stripe`: where Stripe tells what was paid for. Signed instead of authenticated; no browser calls it.
struct WebhookEndpoint: Sendable {
    /// The path that Stripe has to call.
    static let path = "/webhook/stripe"

    /// Nil when `STRIPE_WEBHOOK_SECRET` is not set.
    let processor: WebhookProcessor?

    /// Where an operator sees what waits for Stripe's next try.
    let backlog: RedisWebhookBacklog

    /// Nil where no alerts are sent.
    let alerts: PaymentAlerts?

    let secrets: [Secret]
    let isLive: Bool
    let time: any TimeSource
    let metrics: BillingMetrics

    /// Stripe's largest events have some 100 KB.
    private static let maximumBodyBytes = 1 << 20

    var endpoint: EndpointTable.Endpoint {
        .init(method: .post, path: Self.path, hasCORS: false, handler: receive)
    }

    @Sendable private func receive(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        guard let processor else {
            throw APIError(
                .internalServerError, error: "Webhook secret not configured", code: "webhook-not-configured",
                message: "Set STRIPE_WEBHOOK_SECRET.", cause: "STRIPE_WEBHOOK_SECRET is not set")
        }
        let event = try await event(request)
        let log = Logger.Metadata(dictionaryLiteral: ("event", "\(event.id)"), ("type", "\(event.type)"))
        // Both modes of an account may be sent to one endpoint.
        switch event.isLive == isLive ? event.meaning : .ignored(.otherMode) {
        case .ignored(let reason):
            metrics.webhook(.ignored, reason: reason.rawValue)
            context.logger.debug("webhook ignored", metadata: log)
            return Self.received
        case .subscriptionChanged(let change):
            let response = try await answer(change, processor)
            context.logger.info("webhook", metadata: log)
            return response
        }
    }

    private func answer(_ change: SubscriptionChange, _ processor: WebhookProcessor) async throws(APIError) -> Response
    {
        do {
            switch try await processor.process(change) {
            case .done:
                try await tell(of: change)
                await noteDone(change)
                return Self.received
            case .doneBefore:
                // A worker may have died between the two.
                try await tell(of: change)
                await noteDone(change)
                metrics.webhook(.duplicate, reason: change.kind.rawValue)
                return Response(json: ["received": true, "idempotent": true])
            case .inWork(let seconds):
                metrics.webhook(.inWork, reason: change.kind.rawValue)
                throw Self.inWork(retryAfterSeconds: seconds)
            }
        } catch let failure as WebhookFailure {
            metrics.webhook(.failed, reason: failure.reason)
            await noteFailed(change)
            throw failure.apiError
        } catch let error as APIError {
            throw error
        } catch {
            await noteFailed(change)
            throw .internalError(cause: "\(error)")
        }
    }

    /// What cannot be told now is told when Stripe sends the event again.
    private func tell(of change: SubscriptionChange) async throws(WebhookFailure) {
        do { try await alerts?.note(change) } catch { throw .store(error) }
    }

    /// Stripe's answer depends on none of these two: what cannot be noted is not.
    private func noteFailed(_ change: SubscriptionChange) async {
        try? await backlog.add(eventID: change.eventID, at: time.now())
    }

    private func noteDone(_ change: SubscriptionChange) async {
        try? await backlog.remove(eventID: change.eventID)
    }

    /// The event, once it is sure that Stripe sent it to us.
    private func event(_ request: Request) async throws(APIError) -> StripeEvent {
        // How old a signature is shows only by the right clock.
        guard time.isKnown else { throw .unavailable(cause: "Redis has not told its time yet") }
        // A megabyte is not held for a sender that does not even claim to be Stripe.
        guard Self.signature(request.headers) != nil else { throw rejected(.headerMissing) }
        let body = Array((try await request.body(upTo: Self.maximumBodyBytes)).readableBytesView)
        do {
            try WebhookSignature.verify(
                header: Self.signature(request.headers), payload: body, secrets: secrets.map(\.revealed),
                at: time.now())
        } catch {
            throw rejected(error)
        }
        do {
            return try StripeEvent(parsing: body)
        } catch {
            let refusal =
                error == .thin
                ? Self.rejected("Webhook Error: \(error)", code: "event-thin")
                : Self.rejected("Webhook Error: \(error)", code: "event-malformed")
            metrics.webhook(.rejected, reason: refusal.code)
            throw refusal
        }
    }

    private func rejected(_ problem: WebhookSignatureProblem) -> APIError {
        metrics.webhook(.rejected, reason: problem.rawValue)
        return Self.rejected(
            problem == .headerMissing ? "No signature" : "Webhook Error: \(problem)", code: problem.rawValue)
    }

    /// The SDK's, too, take the header's several values together.
    private static func signature(_ headers: HTTPFields) -> String? { headers[.constant("Stripe-Signature")] }

    private static var received: Response { Response(json: ["received": true]) }

    private static func rejected(_ error: String, code: String) -> APIError {
        APIError(.badRequest, error: error, code: code, cause: error)
    }

    private static func inWork(retryAfterSeconds: Int64) -> APIError {
        var error = APIError(
            .conflict, error: "Event in work", code: "event-in-work",
            message: "Another delivery of this event is being worked on. Send it again later.")
        error.headers[.retryAfter] = String(retryAfterSeconds)
        return error
    }
}
