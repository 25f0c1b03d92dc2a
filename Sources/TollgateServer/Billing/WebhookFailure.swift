import ClerkAuth
import HTTPTypes
import Logging
import OutboundCalls
import StripeBilling
import TollgateCore
import TollgateDataPlane

/// Why an event could not be carried out, or nothing be sold. None of it is Stripe's fault, and all of it passes: Stripe is
/// told to come again.
enum WebhookFailure: Error, Sendable {
    case store(StoreUnavailable)
    case stripe(CallError)
    case clerk(CallError)

    /// Others were telling Clerk of the same user all the while.
    case clerkIsBusy

    /// The label of the metric.
    var reason: String {
        switch self {
        case .store: "redis"
        case .stripe: "stripe"
        case .clerk, .clerkIsBusy: "clerk"
        }
    }

    /// What Stripe is answered; its dashboard shows this.
    var apiError: APIError {
        switch self {
        case .store(let error): .unavailable(cause: error.reason)
        case .stripe(let error): .paymentProvider(error)
        case .clerk(let error): Self.clerkNotUpdated(cause: "\(error)", isOutage: error.isTemporary)
        case .clerkIsBusy:
            Self.clerkNotUpdated(cause: "other workers told Clerk of the same user for too long", isOutage: false)
        }
    }

    private static func clerkNotUpdated(cause: String, isOutage: Bool) -> APIError {
        var error = APIError(
            .internalServerError, error: "Failed to update user metadata", code: "identity-provider-unavailable",
            message: "Send the event again.", cause: cause)
        error.headers[.retryAfter] = "5"
        if isOutage { error.logLevel = .debug }
        return error
    }
}

/// Does what needs the store, and tells of its failure as of one of the event's.
@discardableResult
func stored<Value>(
    _ operation: () async throws(StoreUnavailable) -> Value
) async throws(WebhookFailure) -> Value {
    do { return try await operation() } catch { throw .store(error) }
}

extension APIError {
    /// Stripe said no, or did not answer.
    static func paymentProvider(_ problem: CallError) -> APIError {
        if problem.isTemporary {
            var error = APIError(
                problem.kind == .timedOut ? .gatewayTimeout : .serviceUnavailable,
                error: "Payment provider unavailable", code: "payment-provider-unavailable",
                message: "Stripe could not be asked. Try again in a few seconds.", cause: "\(problem)")
            error.headers[.retryAfter] = "5"
            error.logLevel = .debug
            return error
        }
        return APIError(
            .badGateway, error: "Payment provider refused", code: "payment-provider-refused",
            message: "Stripe said no. The request id finds its reason in the log.", cause: "\(problem)")
    }
}
