import Hiredis
import RedisClient
import TollgateCore

/// Stripe's events in Redis, one string each: `claimed <token>` while in work, then the moment it was done.
package struct RedisWebhookLedger: WebhookLedger {
    /// Long enough for any work on an event, and short enough that Stripe's next try finds a dead worker's claim gone.
    package static let standardLease: Duration = .seconds(20)

    /// Stripe tries for three days and lets events be sent again by hand for 30.
    private static let doneKeptSeconds = 30 * 86_400

    /// A claim that lasts longer than a day was written by hand.
    private static let longestWaitMilliseconds: Int64 = 86_400_000

    private static let claimScript = RedisScript(resource: PackageResources.claim_webhook_lua)
    private static let settleScript = RedisScript(resource: PackageResources.settle_webhook_lua)

    private let client: RedisClient
    private let leaseMilliseconds: Int64

    /// - Parameter lease: At least a millisecond.
    package init(client: RedisClient, lease: Duration = standardLease) {
        self.client = client
        leaseMilliseconds = max(1, Int64(lease / .milliseconds(1)))
    }

    package func claim(eventID: String, token: String) async throws(StoreUnavailable) -> WebhookClaim {
        let reply = try await client.ask(
            RedisScript.Call(
                Self.claimScript, on: [.webhook(eventID: eventID)], arguments: [token, "\(leaseMilliseconds)"]))
        guard let numbers = reply.array?.compactMap({ $0.integer }), numbers.count == 2 else {
            throw .unexpectedReply(of: "claim_webhook.lua")
        }
        switch numbers[0] {
        case 1: return .claimed
        case 2: return .inWork(retryAfterSeconds: retryAfterSeconds(milliseconds: numbers[1]))
        case 3: return .done
        default: throw .unexpectedReply(of: "claim_webhook.lua")
        }
    }

    @discardableResult
    package func markDone(
        eventID: String, token: String, at time: UnixTime
    ) async throws(StoreUnavailable) -> Bool {
        try await settle(eventID: eventID, token: token, value: time.iso8601)
    }

    @discardableResult
    package func release(eventID: String, token: String) async throws(StoreUnavailable) -> Bool {
        try await settle(eventID: eventID, token: token, value: "")
    }

    private func settle(eventID: String, token: String, value: String) async throws(StoreUnavailable) -> Bool {
        let reply = try await client.ask(
            RedisScript.Call(
                Self.settleScript, on: [.webhook(eventID: eventID)],
                arguments: [token, value, "\(Self.doneKeptSeconds)"]))
        guard let settled = reply.integer else { throw .unexpectedReply(of: "settle_webhook.lua") }
        return settled == 1
    }

    /// Whole seconds, rounded up. A claim without a TTL was written by hand: come back after a lease.
    private func retryAfterSeconds(milliseconds: Int64) -> Int64 {
        let wait = milliseconds < 0 ? leaseMilliseconds : min(milliseconds, Self.longestWaitMilliseconds)
        return max(1, (wait + 999) / 1000)
    }
}
