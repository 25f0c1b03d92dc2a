import Hiredis
package import RedisClient
package import TollgateCore

/// Stripe's events in Redis, one string each: `claimed <token>` while in work, then the moment it was done.
package struct RedisWebhookLedger: WebhookLedger {
    /// Long enough for any work on an event, and short enough that Stripe's next try finds a dead worker's claim gone.
    package static let standardLease: Duration = .seconds(20)

    /// Stripe tries for three days and lets events be sent again by hand for 30.
    private static let doneKeptSeconds = 30 * 86_400

    /// A claim that lasts longer than a day was written by hand.
    private static let longestWaitMilliseconds: Int64 = 86_400_000

    private static let claimScript = NamedScript<ClaimWebhookSignature>(
        "claim_webhook.lua", resource: PackageResources.claim_webhook_lua)
    private static let settleScript = NamedScript<SettleWebhookSignature>(
        "settle_webhook.lua", resource: PackageResources.settle_webhook_lua)

    private let client: RedisClient
    private let leaseMilliseconds: Int64

    /// - Parameter lease: At least a millisecond.
    package init(client: RedisClient, lease: Duration = standardLease) {
        self.client = client
        leaseMilliseconds = max(1, Int64(lease / .milliseconds(1)))
    }

    package func claim(eventID: String, token: String) async throws(StoreUnavailable) -> WebhookClaim {
        let reply = try await client.ask(
            Self.claimScript.call { key in
                switch key {
                case .event: .webhook(eventID: eventID)
                }
            } with: { argument in
                switch argument {
                case .token: token
                case .leaseMilliseconds: "\(leaseMilliseconds)"
                }
            })
        guard let numbers = reply.array?.compactMap({ $0.integer }), numbers.count == 2,
            let outcome = Self.claimScript.outcome(of: reply)
        else { throw Self.claimScript.unexpectedReply() }
        switch outcome {
        case .claimed: return .claimed
        case .inWork: return .inWork(retryAfterSeconds: retryAfterSeconds(milliseconds: numbers[1]))
        case .done: return .done
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
            Self.settleScript.call { key in
                switch key {
                case .event: .webhook(eventID: eventID)
                }
            } with: { argument in
                switch argument {
                case .token: token
                case .doneAt: value
                case .keptSeconds: "\(Self.doneKeptSeconds)"
                }
            })
        guard let outcome = Self.settleScript.outcome(of: reply) else { throw Self.settleScript.unexpectedReply() }
        return outcome == .settled
    }

    /// Whole seconds, rounded up. A claim without a TTL was written by hand: come back after a lease.
    private func retryAfterSeconds(milliseconds: Int64) -> Int64 {
        let wait = milliseconds < 0 ? leaseMilliseconds : min(milliseconds, Self.longestWaitMilliseconds)
        return max(1, (wait + 999) / 1000)
    }
}

// MARK: What the scripts are given, and what they answer

private enum ClaimWebhookSignature: ScriptSignature {
    enum Key: String, ScriptName { case event }

    enum Argument: String, ScriptName {
        /// Of this try.
        case token
        case leaseMilliseconds
    }

    enum Outcome: String, ScriptName { case claimed, inWork, done }
}

private enum SettleWebhookSignature: ScriptSignature {
    enum Key: String, ScriptName { case event }

    enum Argument: String, ScriptName {
        /// Of this try.
        case token

        /// ISO 8601. Empty: the event is free for the next try.
        case doneAt

        /// How long it is remembered that the event is done.
        case keptSeconds
    }

    enum Outcome: String, ScriptName { case leaseRunOut, settled }
}
