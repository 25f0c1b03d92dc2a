import Hiredis
package import RedisClient
package import TollgateCore

/// Alerts on their way to the receiver of one channel, in Redis: any worker may send any of them, and what one that dies
/// had in work another takes up.
///
/// Those that were delivered are kept for a while, to know them when they are found again; longer than that, a mark of the
/// user's own says so (``RedisAlertOutboxes/marks(of:)``).
package struct RedisAlertOutbox: Sendable {
    /// Alerts that are kept at most, whatever has become of them. When as many wait, no more are taken.
    package static let maximumCount = 100_000

    /// Of them, those that are delivered and those that were given up; and how long they are kept.
    package static let maximumDelivered = 50_000
    package static let maximumDead = 10_000
    package static let deliveredSeconds: Int64 = 3 * 86_400
    package static let deadSeconds: Int64 = 30 * 86_400

    /// How long a worker has for those that it has claimed: far longer than a try may take.
    package static let leaseSeconds: Int64 = 60

    private static let enqueueScript = NamedScript<EnqueueAlertsSignature>(
        "enqueue_alerts.lua", resource: PackageResources.enqueue_alerts_lua)
    private static let claimScript = NamedScript<ClaimAlertsSignature>(
        "claim_alerts.lua", resource: PackageResources.claim_alerts_lua)
    private static let settleScript = NamedScript<SettleAlertSignature>(
        "settle_alert.lua", resource: PackageResources.settle_alert_lua)

    /// How what is in it is sent.
    package let channel: Alert.Channel

    private let client: RedisClient

    package init(_ channel: Alert.Channel, client: RedisClient) { (self.channel, self.client) = (channel, client) }

    // MARK: In

    /// Puts alerts in, each once.
    ///
    /// - Returns: How many were new. Nil when there is no room: then some are not in it.
    package func add(_ alerts: [Alert], at time: UnixTime) async throws(StoreUnavailable) -> Int? {
        guard !alerts.isEmpty else { return 0 }
        let outgoing = alerts.map { OutgoingAlert($0, at: time) }
        let reply = try await client.ask(
            Self.enqueueScript.call(rest: outgoing.flatMap { [$0.id, $0.entry] }) { key in
                switch key {
                case .entries: .alerts(channel)
                case .due: .alertsDue(channel)
                case .delivered: .alertsDelivered(channel)
                }
            } with: { argument in
                switch argument {
                case .now: "\(time.milliseconds)"
                case .maximumCount: "\(Self.maximumCount)"
                }
            })
        guard let outcome = Self.enqueueScript.outcome(of: reply), let new = reply.array?.last?.integer else {
            throw Self.enqueueScript.unexpectedReply()
        }
        return outcome == .taken ? Int(new) : nil
    }

    // MARK: Out

    /// Alerts that a worker may send now, and until when.
    package struct Claim: Sendable, Hashable {
        package let alerts: [OutgoingAlert]
        package let leaseEnd: UnixTime
    }

    /// Claims alerts that are due, for ``leaseSeconds``.
    package func claim(_ maximumCount: Int, at time: UnixTime) async throws(StoreUnavailable) -> Claim {
        let leaseEnd = time.adding(seconds: Self.leaseSeconds)
        let reply = try await client.ask(
            Self.claimScript.call { key in
                switch key {
                case .entries: .alerts(channel)
                case .due: .alertsDue(channel)
                }
            } with: { argument in
                switch argument {
                case .now: "\(time.milliseconds)"
                case .leaseEnd: "\(leaseEnd.milliseconds)"
                case .maximumCount: "\(maximumCount)"
                }
            })
        guard let words = reply.array?.map({ $0.string ?? "" }), words.count.isMultiple(of: 2) else {
            throw Self.claimScript.unexpectedReply()
        }
        // What cannot be read any more is left alone, and is due again when the lease is over.
        let alerts = stride(from: 0, to: words.count, by: 2).compactMap {
            OutgoingAlert(id: words[$0], entry: words[$0 + 1])
        }
        return Claim(alerts: alerts, leaseEnd: leaseEnd)
    }

    /// What has become of an alert.
    private enum State: String { case delivered, dead, retried, replayed }

    /// Notes how a try has ended.
    ///
    /// - Parameters:
    ///   - alert: With ``OutgoingAlert/delivery`` as it is after the try.
    ///   - leaseEnd: Of the claim.
    /// - Returns: False when the claim had ended, and another has it.
    @discardableResult
    package func settle(
        _ alert: OutgoingAlert, claimedUntil leaseEnd: UnixTime, _ next: AlertDelivery.Next, at time: UnixTime
    ) async throws(StoreUnavailable) -> Bool {
        switch next {
        case .isDelivered:
            var known = alert
            known.dropBody()
            return try await settle(known, .delivered, leaseEnd: leaseEnd, due: time, at: time)
        case .isDead: return try await settle(alert, .dead, leaseEnd: leaseEnd, due: time, at: time)
        case .retry(let due): return try await settle(alert, .retried, leaseEnd: leaseEnd, due: due, at: time)
        }
    }

    /// Has an alert that was given up sent again.
    ///
    /// - Returns: False when it is none of those.
    package func replay(_ id: String, at time: UnixTime) async throws(StoreUnavailable) -> Bool {
        guard let alert = try await entries([id]).first else { return false }
        return try await replay(alert, at: time)
    }

    /// Has all that were given up sent again.
    ///
    /// - Returns: How many.
    package func replayAll(at time: UnixTime) async throws(StoreUnavailable) -> Int {
        let ids = (try await client.ask(RedisCommand("ZRANGE", .alertsDead(channel), "0", "-1")).array ?? [])
            .compactMap(\.string)
        var count = 0
        for start in stride(from: 0, to: ids.count, by: Self.replayedAtATime) {
            for alert in try await entries(Array(ids[start..<min(ids.count, start + Self.replayedAtATime)])) {
                if try await replay(alert, at: time) { count += 1 }
            }
        }
        return count
    }

    /// Alerts that are read at a time to be sent again.
    private static let replayedAtATime = 500

    private func replay(_ alert: OutgoingAlert, at time: UnixTime) async throws(StoreUnavailable) -> Bool {
        var alert = alert
        alert.delivery.begin(at: time)
        return try await settle(alert, .replayed, leaseEnd: time, due: time, at: time)
    }

    private func settle(
        _ alert: OutgoingAlert, _ state: State, leaseEnd: UnixTime, due: UnixTime, at time: UnixTime
    ) async throws(StoreUnavailable) -> Bool {
        let reply = try await client.ask(
            Self.settleScript.call { key in
                switch key {
                case .entries: .alerts(channel)
                case .due: .alertsDue(channel)
                case .delivered: .alertsDelivered(channel)
                case .dead: .alertsDead(channel)
                }
            } with: { argument in
                switch argument {
                case .id: alert.id
                case .entry: alert.entry
                case .state: state.rawValue
                case .leaseEnd: "\(leaseEnd.milliseconds)"
                case .due: "\(due.milliseconds)"
                case .now: "\(time.milliseconds)"
                case .deliveredSince: "\(time.milliseconds - Self.deliveredSeconds * 1000)"
                case .deadSince: "\(time.milliseconds - Self.deadSeconds * 1000)"
                case .maximumDelivered: "\(Self.maximumDelivered)"
                case .maximumDead: "\(Self.maximumDead)"
                }
            })
        guard let outcome = Self.settleScript.outcome(of: reply) else { throw Self.settleScript.unexpectedReply() }
        return outcome == .settled
    }

    // MARK: For operators

    /// Where an alert stands. The raw value is shown.
    package enum Standing: String, Sendable, Hashable, CaseIterable {
        /// It is sent, now or at the next try.
        case pending
        case delivered
        /// It was given up.
        case dead
    }

    /// How many there are of a standing, and the first of them.
    package struct Listing: Sendable {
        package let count: Int

        /// With the moment of the next try, or of the end.
        package let alerts: [(alert: OutgoingAlert, moment: UnixTime)]
    }

    /// Those that are due first; of those that have ended, the last ones.
    package func list(_ standing: Standing, maximumCount: Int) async throws(StoreUnavailable) -> Listing {
        let key = key(of: standing)
        let order = standing == .pending ? [] : ["REV"]
        let replies = try await client.ask(all: [
            RedisCommand("ZCARD", key),
            RedisCommand("ZRANGE", key, ["0", "\(maximumCount - 1)"] + order + ["WITHSCORES"]),
        ])
        guard let count = replies[0].integer, let words = replies[1].array?.map({ $0.string ?? "" }) else {
            throw .unexpectedReply(of: "ZRANGE")
        }
        let moments = Dictionary(
            stride(from: 0, to: words.count - 1, by: 2).map { place in
                (words[place], UnixTime(milliseconds: Double(words[place + 1]).flatMap { Int64(exactly: $0) } ?? 0))
            }
        ) { first, _ in first }
        let ids = stride(from: 0, to: words.count, by: 2).map { words[$0] }
        let alerts = try await entries(ids).map { ($0, moments[$0.id] ?? UnixTime(seconds: 0)) }
        return Listing(count: Int(count), alerts: alerts)
    }

    /// How many wait to be sent.
    package func pendingCount() async throws(StoreUnavailable) -> Int {
        Int(try await client.ask(RedisCommand("ZCARD", .alertsDue(channel))).integer ?? 0)
    }

    private func entries(_ ids: [String]) async throws(StoreUnavailable) -> [OutgoingAlert] {
        guard !ids.isEmpty else { return [] }
        let reply = try await client.ask(RedisCommand("HMGET", .alerts(channel), ids))
        return zip(ids, reply.array ?? []).compactMap { id, entry in
            entry.string.flatMap { OutgoingAlert(id: id, entry: $0) }
        }
    }

    private func key(of standing: Standing) -> RedisKey {
        switch standing {
        case .pending: .alertsDue(channel)
        case .delivered: .alertsDelivered(channel)
        case .dead: .alertsDead(channel)
        }
    }
}

// MARK: What the scripts are given, and what they answer

private enum EnqueueAlertsSignature: ScriptSignature {
    enum Key: String, ScriptName { case entries, due, delivered }

    enum Argument: String, ScriptName {
        /// Milliseconds since 1970.
        case now

        /// Entries that the outbox has at most.
        case maximumCount
    }

    enum Outcome: String, ScriptName { case full, taken }
}

private enum ClaimAlertsSignature: ScriptSignature {
    enum Key: String, ScriptName { case entries, due }

    enum Argument: String, ScriptName { case now, leaseEnd, maximumCount }

    /// It answers no outcome.
    enum Outcome: String, ScriptName { case none }
}

private enum SettleAlertSignature: ScriptSignature {
    enum Key: String, ScriptName { case entries, due, delivered, dead }

    enum Argument: String, ScriptName {
        case id

        /// What stands in the outbox of it from now on.
        case entry

        /// `delivered`, `dead`, `retried` or `replayed`.
        case state

        /// Of the claim.
        case leaseEnd

        /// When it is tried next.
        case due
        case now

        /// Those that were delivered, and given up, before are forgotten.
        case deliveredSince, deadSince

        /// As many are kept.
        case maximumDelivered, maximumDead
    }

    enum Outcome: String, ScriptName { case notOurs, settled }
}
