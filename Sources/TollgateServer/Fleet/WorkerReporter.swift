import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// Tells the other workers and the operator that this one is alive and what it has to do, and sees which others
/// are. What cannot be told is told the next time.
final class WorkerReporter: Service {
    static let interval: Duration = .seconds(5)

    /// How soon it is tried again when a report was not taken, as when Redis is not connected yet.
    private static let retryInterval: Duration = .seconds(1)

    /// How often it is looked whether there is something to tell.
    private static let tick: Duration = .milliseconds(250)

    /// Requests that are told of in a report.
    private static let toldRequests = 50

    private let identity: WorkerIdentity
    private let began = NIODeadline.now()
    private let stores: Stores
    private let counters: TrafficCounters
    private let callers: CallerCounts
    private let drain: DrainState

    /// Where the public port is. Nil as long as it is not open.
    private let address: @Sendable () -> String?

    /// Called with the workers that are alive.
    private let sawWorkers: @Sendable ([String]) -> Void
    private let time: any TimeSource
    private let logger: Logger

    /// Whether the start was noted by the right clock.
    private let wasTimeKnown: Bool

    private let latest = Mutex<(report: WorkerReport?, failure: String?)>((nil, nil))

    /// Where it is told.
    struct Stores: Sendable {
        let fleet: RedisFleetStore
        let topUsers: RedisTopUsers
        let backlog: RedisWebhookBacklog
        let users: RedisUserIndex

        /// Who is yet to be added to the index of users.
        let firstCallers: FirstCallers
        let requests: RedisRequestLog

        /// Nil where none is written.
        let accessLog: AccessLog?
    }

    init(
        identity: WorkerIdentity, stores: Stores, counters: TrafficCounters, callers: CallerCounts, drain: DrainState,
        address: @escaping @Sendable () -> String?, sawWorkers: @escaping @Sendable ([String]) -> Void,
        time: any TimeSource, logger: Logger
    ) {
        self.identity = identity
        self.stores = stores
        self.counters = counters
        self.callers = callers
        self.drain = drain
        self.address = address
        self.sawWorkers = sawWorkers
        self.time = time
        wasTimeKnown = time.isKnown
        self.logger = logger
    }

    /// What was told last, or would have been.
    var latestReport: WorkerReport {
        latest.withLock { $0.report }
            ?? WorkerReport(
                identity: datedIdentity, seenAt: time.now(), address: "", traffic: .none, isDraining: drain.isDraining)
    }

    /// With the start as the clock has it that all go by, if that is known.
    private var datedIdentity: WorkerIdentity {
        guard !wasTimeKnown, time.isKnown else { return identity }
        let ageMilliseconds = (NIODeadline.now() - began).nanoseconds / 1_000_000
        var identity = identity
        identity.startedAt = UnixTime(milliseconds: time.now().milliseconds - ageMilliseconds)
        return identity
    }

    /// Why the last report was not taken. Nil when it was.
    var latestFailure: String? { latest.withLock { $0.failure } }

    /// Reports until the graceful shutdown, and removes the worker then.
    func run() async throws {
        await cancelWhenGracefulShutdown { await self.report() }
        // One that is cancelled leaves as a crash would, and is missed when its report ends.
        guard !Task.isCancelled else { return }
        do {
            try await stores.fleet.remove(identity.id)
        } catch {
            logger.debug("the worker could not say goodbye", metadata: ["cause": "\(error)"])
        }
    }

    private func report() async {
        var window = TrafficWindow(startingWith: counters.read(), at: .now)
        var reportedAt: ContinuousClock.Instant?
        var identity = identity
        var isTimeKnown = wasTimeKnown
        while !Task.isCancelled {
            if let address = address(), isDue(since: reportedAt, address: address) {
                reportedAt = .now
                if !isTimeKnown, time.isKnown {
                    isTimeKnown = true
                    identity = datedIdentity
                }
                let report = WorkerReport(
                    identity: identity, seenAt: time.now(), address: address,
                    traffic: window.add(counters.read(), at: .now), isDraining: drain.isDraining)
                latest.withLock { $0.report = report }
                // Not cancelled half-way, or it could arrive after the removal.
                await Task { await self.send(report) }.value
            }
            try? await Task.sleep(for: Self.tick)
        }
    }

    /// At once when the worker begins to drain, or is first seen at its address.
    private func isDue(since reportedAt: ContinuousClock.Instant?, address: String) -> Bool {
        guard let reportedAt else { return true }
        let last = latestReport
        let interval = latestFailure == nil ? Self.interval : Self.retryInterval
        return .now - reportedAt >= interval || last.isDraining != drain.isDraining || last.address != address
    }

    private func tellOfUsers(at time: UnixTime) async throws(StoreUnavailable) {
        let users = stores.firstCallers.take()
        guard !users.isEmpty else { return }
        do {
            try await stores.users.add(users, at: time)
            try await stores.users.forgetOld(at: time)
        } catch {
            stores.firstCallers.add(users)
            throw error
        }
    }

    private func send(_ report: WorkerReport) async {
        do {
            try await stores.fleet.write(report)
            sawWorkers(try await stores.fleet.ids(at: report.seenAt))
            try await tellOfUsers(at: report.seenAt)
            let called = callers.take()
            try await stores.topUsers.add(called, on: CalendarDay(containing: report.seenAt))
            // Also those whose first call of the day was told to a worker that has died since.
            if !called.isEmpty { try await stores.users.add(called.map(\.userID), at: report.seenAt) }
            try await stores.backlog.forgetOld(at: report.seenAt)
            let requests = await stores.accessLog?.takeUntoldRequests(Self.toldRequests) ?? []
            try await stores.requests.add(requests.map(\.entry))
            latest.withLock { $0.failure = nil }
        } catch {
            latest.withLock { $0.failure = "\(error)" }
            logger.debug("the worker's report was not taken", metadata: ["cause": "\(error)"])
        }
    }
}
