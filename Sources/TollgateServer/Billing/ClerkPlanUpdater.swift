import ClerkAuth
import Libcrypto
import Logging
import OutboundCalls
import TollgateCore

/// Tells Clerk what billing says of a user's plan, so that the user's next token carries it.
///
/// One worker at a time tells of one user, and always the newest record; a worker that waited finds it told.
struct ClerkPlanUpdater: Sendable {
    let clerk: ClerkBackend
    let subscriptions: any SubscriptionStore
    let time: any TimeSource
    let pastDueGraceSeconds: Int64
    let metrics: BillingMetrics
    let logger: Logger

    /// How long to wait for another worker that tells Clerk of the same user.
    private static let patience: Duration = .seconds(3)
    private static let pause: Duration = .milliseconds(20)

    /// Returns once Clerk knows what the record says, or something newer, or has refused to know it.
    func tell(of user: UserID) async throws(WebhookFailure) {
        let token = RandomBytes.hex(count: 16)
        let deadline = ContinuousClock.now + Self.patience
        while true {
            switch try await begin(user, token) {
            case .upToDate: return
            case .due(let record): return try await tell(record, of: user, token: token)
            case .taken:
                guard .now < deadline, (try? await Task.sleep(for: Self.pause)) != nil else { throw .clerkIsBusy }
            }
        }
    }

    private func begin(_ user: UserID, _ token: String) async throws(WebhookFailure) -> ClerkUpdateTurn {
        do {
            return try await subscriptions.beginClerkUpdate(of: user, token: token)
        } catch {
            throw .store(error)
        }
    }

    private func tell(
        _ record: SubscriptionRecord, of user: UserID, token: String
    ) async throws(WebhookFailure) {
        let plan = record.grantedPlan(at: time.now(), pastDueGraceSeconds: pastDueGraceSeconds)
        let metadata = BillingMetadata(
            plan: plan, stripeCustomerId: record.customerID, subscriptionId: record.subscriptionID)
        do {
            try await clerk.merge(metadata, into: user)
        } catch {
            metrics.clerkError(error)
            // If this fails as well, the turn ends by itself soon. A task of its own, for this one may have been
            // cancelled: then Redis would not be asked.
            await Task { [subscriptions, time] in
                try? await subscriptions.endClerkUpdate(of: user, token: token, toldOf: nil, at: time.now())
            }.value
            guard error.isFinalRefusal else { throw .clerk(error) }
            // The record counts without Clerk, and with the user's next event Clerk is told again.
            logger.error("Clerk refuses to be told of a plan", metadata: ["user": "\(user)", "error": "\(error)"])
            return
        }
        do {
            try await subscriptions.endClerkUpdate(of: user, token: token, toldOf: record, at: time.now())
        } catch {
            throw .store(error)
        }
    }
}

extension CallError {
    /// The service itself has said no, and would say so again however often it is asked: an answer of 400 to 499 but those
    /// that mean another time.
    fileprivate var isFinalRefusal: Bool {
        guard kind == .refused, let httpStatus else { return false }
        return 400..<500 ~= httpStatus && ![404, 408, 429].contains(httpStatus)
    }
}
