import Logging
import NIOCore
package import ServiceLifecycle
import Synchronization
package import TollgateCore
package import TollgateStore

/// What a worker lets through by itself while Redis cannot be asked, on routes that are to stay open then: only callers
/// who are known, and each only as often in a minute as this worker's part of the rate of their plan allows. What has
/// passed is booked when Redis is back.
///
/// Known are the holder of a session token, by its signature, and the holder of a key only if this worker has seen
/// Redis admit that very key.
package final class OutageLimiter: Sendable {
    /// Callers and keys that a worker remembers.
    package static let capacity = 131_072

    private struct State {
        var allowance = OutageAllowance(capacity: capacity)
        var knownKeys = RecencyCache<KeyHash, Bool>(capacity: capacity)
        var fleet: FleetView
    }

    package let tally: OutageTally
    private let plans: InForce<PlanTable>
    private let workerID: String
    private let bookings: any OutageBookings
    private let time: any TimeSource
    private let state: Mutex<State>
    private let passed = Mutex(OutageBook())

    package init(
        plans: InForce<PlanTable>, workerID: String, bookings: any OutageBookings, time: any TimeSource,
        tally: OutageTally
    ) {
        self.plans = plans
        self.workerID = workerID
        self.bookings = bookings
        self.time = time
        self.tally = tally
        state = Mutex(State(fleet: FleetView(ownID: workerID)))
    }

    private static var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000) }

    // MARK: While Redis is there

    /// Redis has admitted a caller with this credential.
    package func admitted(_ credential: Credential) {
        guard case .secretKey(_, _, let hash) = credential else { return }
        state.withLock { $0.knownKeys.update(hash, from: true) { _ in } }
    }

    /// Redis has refused a key.
    package func refused(_ credential: Credential) {
        guard case .secretKey(_, _, let hash) = credential else { return }
        state.withLock { state in
            if state.knownKeys.value(for: hash) != nil { state.knownKeys.insert(false, for: hash) }
        }
    }

    /// Redis has said where the rate of a user stands.
    func saw(_ rate: RateSnapshot, of user: UserID) { state.withLock { $0.allowance.saw(rate, of: user) } }

    /// These workers are alive.
    package func sawWorkers(_ ids: [String]) {
        let count = state.withLock { state in
            state.fleet.saw(ids, at: Self.now)
            return state.fleet.share.count
        }
        tally.workersAlive(count)
    }

    // MARK: While it is away

    package func isKnown(_ credential: Credential) -> Bool {
        switch credential {
        case .token: true
        case .platformKey: false
        case .secretKey(_, _, let hash): state.withLock { $0.knownKeys.value(for: hash) ?? false }
        }
    }

    /// Whether `principal` may pass now; counted.
    package func admits(_ principal: Principal, at time: UnixTime) -> Bool {
        guard isKnown(principal.credential) else { return false }
        let plans = plans.current
        let plan = principal.claimedPlan.flatMap { plans[$0] } ?? plans.fallback
        return state.withLock { state in
            state.allowance.admits(
                principal.userID, unknownRate: plan.ratePerMinute, share: state.fleet.share, at: time)
        }
    }

    // MARK: When it is back

    /// What is known of calls that have passed, for the operator.
    package var counts: OutageTally.Counts { tally.counts }

    /// Writes down what is to be charged when Redis is back.
    func book(_ charge: OutageCharge) {
        let isKept = passed.withLock { book in
            let isKept = book.passed(charge.userID, calls: charge.calls, route: charge.route, at: charge.time)
            tally.waiting(book.waitingCalls)
            return isKept
        }
        if !isKept { tally.forgotten(charge) }
    }

    /// Tells Redis what has passed, as soon as Redis is there, also while the worker shuts down.
    package var service: any Service { BookingService(limiter: self) }

    private struct BookingService: Service {
        let limiter: OutageLimiter

        private static let interval: Duration = .seconds(1)
        private static let shutdownInterval: Duration = .milliseconds(250)

        func run() async throws {
            await cancelWhenGracefulShutdown {
                while !Task.isCancelled {
                    // Not cancelled half-way, or it would have to be told again.
                    await Task { await limiter.tellRedis() }.value
                    try? await Task.sleep(for: Self.interval)
                }
            }
            while limiter.hasMore, !Task.isCancelled {
                await limiter.tellRedis()
                try? await Task.sleep(for: Self.shutdownInterval)
            }
            limiter.tally.stopped(waiting: limiter.passed.withLock(\.waitingCalls))
        }
    }

    private var hasMore: Bool { passed.withLock { !$0.isEmpty } }

    /// Batches that Redis is told at a time.
    private static let concurrency = 16

    /// Batches that are made at a time, once Redis is known to be there.
    private static let roundLength = 1024

    /// All that is due, as long as Redis is there: whether it is, the first few batches show. In a cluster, a part of it
    /// may be.
    private func tellRedis() async {
        var limit = Self.concurrency
        while true {
            let batches = passed.withLock { $0.due(at: Self.now, limit: limit) }
            guard await tell(batches) > 0 else { return }
            limit = Self.roundLength
        }
    }

    /// - Returns: How many of them Redis has answered to.
    private func tell(_ batches: [OutageBook.Batch]) async -> Int {
        var answered = 0
        for start in stride(from: 0, to: batches.count, by: Self.concurrency) {
            answered += await withTaskGroup { group in
                for batch in batches[start...].prefix(Self.concurrency) { group.addTask { await self.tell(batch) } }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
        }
        return answered
    }

    /// - Returns: Whether Redis was there.
    private func tell(_ batch: OutageBook.Batch) async -> Bool {
        var answer = OutageBook.Answer.booked
        do throws(StoreUnavailable) {
            try await bookings.book(batch, passing: workerID, at: time.now())
        } catch {
            if case .answeredError(let code) = error.cause {
                answer = .failed
                tally.failed(batch, code, error)
            } else {
                answer = .unreachable(mayBeDone: error.mayBeDone)
            }
        }
        passed.withLock { book in
            let ending = book.answered(batch, answer, at: Self.now)
            tally.waiting(book.waitingCalls)
            if let ending { tally.ended(ending, batch) }
        }
        if case .unreachable = answer { return false }
        return true
    }
}

/// What a request costs that passed without Redis.
struct OutageCharge: Sendable {
    let userID: UserID
    let calls: Int

    /// What the calls are booked under.
    let route: String

    /// When it passed.
    let time: UnixTime
}
