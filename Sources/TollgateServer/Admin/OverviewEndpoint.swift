import Hummingbird
import JSONValue
import Logging
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// `GET /overview.json`: how the whole gateway is, all workers together. Without Redis, what this worker knows itself.
struct OverviewEndpoint: Sendable {
    /// Users that are told of.
    static let topUsers = 20

    /// Subscriptions with a price that sells no plan that are told of.
    static let unpricedSubscriptions = 5

    /// Waiting events that are told of.
    static let waitingEvents = 50

    let fleet: RedisFleetStore
    let topUsers: RedisTopUsers
    let backlog: RedisWebhookBacklog
    let reconciliation: RedisReconciliation
    let subscriptions: RedisSubscriptionStore
    let inspection: RedisInspection

    /// The Redis user that the worker logs in as.
    let redisUser: String

    let reporter: WorkerReporter
    let reservations: ReservationKeeper
    let outage: OutageLimiter
    let clock: RedisClock
    let readiness: Readiness
    let time: any TimeSource

    /// - Parameter identity: Who asks.
    func json(for identity: OperatorIdentity) async -> JSON {
        let now = time.now()
        let redis = await RedisState.ask(inspection)
        // One that hangs is not asked four times.
        let shared = redis.isAvailable ? await shared(at: now) : nil
        let refusal = redis.isAvailable ? await refusal : nil
        let own = reporter.latestReport
        let others = (shared?.workers ?? []).filter { $0.identity.id != own.identity.id }
        let workers = (others + [own]).sorted {
            ($0.identity.startedAt, $0.identity.id) < ($1.identity.startedAt, $1.identity.id)
        }
        return [
            "time": .moment(now),
            "worker": .string(own.identity.id),
            "operator": ["name": .string(identity.name), "role": .string(identity.role.rawValue)],
            "traffic": workers.map(\.traffic).reduce(.none, +).json,
            "workers": .array(workers.map(\.json)),
            "topUsers": shared?.topUsers.map { Self.json(of: $0, on: CalendarDay(containing: now)) } ?? .null,
            "webhooks": shared?.waiting.map(Self.json) ?? .null,
            "reconciliation": shared?.reconciliation?.json ?? .null,
            "unpriced": shared?.unpriced ?? .null,
            "reservations": reservations.counts.json,
            "outage": outage.counts.json,
            // Of this worker's machine, against that of Redis.
            "clockAheadSeconds": clock.wallClockAheadMilliseconds.map { .decimal(Double($0) / 1000) } ?? .null,
            "redis": redis.json(
                user: redisUser, reportFailure: reporter.latestFailure, noticed: [refusal].compactMap(\.self) + noticed),
        ]
    }

    /// What is said at `/readyz` of a Redis that answers and takes no calls.
    private var refusal: RedisWarning? {
        get async {
            guard case .redis(let reason) = await readiness.obstacle() else { return nil }
            return RedisWarning(refusal: reason)
        }
    }

    private var noticed: [RedisWarning] {
        [
            clock.wallClockAheadMilliseconds.flatMap { RedisWarning(clockAhead: $0) },
            RedisWarning(reservations: reservations.counts), RedisWarning(outage: outage.counts),
        ].compactMap(\.self)
    }

    /// What the workers know together. Nil stands for what could not be asked.
    private struct Shared {
        let workers: [WorkerReport]?
        let topUsers: [UserCalls]?
        let waiting: RedisWebhookBacklog.Waiting?
        let reconciliation: ReconciliationHistory?
        let unpriced: JSON?
    }

    private func shared(at now: UnixTime) async -> Shared {
        async let workers = try? fleet.workers(at: now)
        async let users = try? topUsers.first(Self.topUsers, on: CalendarDay(containing: now))
        async let waiting = try? backlog.waiting(Self.waitingEvents)
        async let history = try? reconciliation.history()
        async let unpriced = try? subscriptions.unpricedSubscriptions(maximumCount: Self.unpricedSubscriptions)
        return await Shared(
            workers: workers, topUsers: users, waiting: waiting, reconciliation: history.flatMap(\.self),
            unpriced: unpriced.map { ["count": .integer($0.count), "subscriptions": .array($0.ids.map(JSON.string))] })
    }

    private static func json(of users: [UserCalls], on day: CalendarDay) -> JSON {
        [
            "day": .string(day.description),
            "users": .array(users.map { ["userId": .string($0.userID.value), "calls": .integer($0.calls)] }),
        ]
    }

    private static func json(of waiting: RedisWebhookBacklog.Waiting) -> JSON {
        [
            "waiting": .integer(waiting.count), "oldest": .moment(waiting.events.first?.since),
            "events": .array(waiting.events.map { ["id": .string($0.id), "since": .moment($0.since)] }),
        ]
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

extension ReservationTally.Counts {
    /// Of this worker, since it started.
    fileprivate var json: JSON {
        ["waiting": .integer(waiting), "lost": .integer(lost), "unsettled": .integer(unsettled)]
    }
}

extension OutageTally.Counts {
    /// Calls that passed this worker while Redis was away, since it started.
    fileprivate var json: JSON {
        ["waiting": .integer(waiting), "booked": .integer(booked), "forgotten": .integer(forgotten)]
    }
}

extension WorkerTraffic {
    /// The most frequent reason first.
    fileprivate var json: JSON {
        let reasons = refused.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        return [
            "requestsPerSecond": .decimal(requestsPerSecond), "admitted": .integer(admitted),
            "refused": .array(reasons.map { ["reason": .string($0.key), "count": .integer($0.value)] }),
        ]
    }
}

extension WorkerReport {
    fileprivate var json: JSON {
        [
            "id": .string(identity.id), "version": .string(identity.version), "host": .string(identity.host),
            "pid": .integer(identity.processID), "address": .string(address),
            "startedAt": .moment(identity.startedAt), "seenAt": .moment(seenAt), "isDraining": .bool(isDraining),
            "traffic": traffic.json,
        ]
    }
}
