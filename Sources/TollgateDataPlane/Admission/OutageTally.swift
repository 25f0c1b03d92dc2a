package import CoreMetrics
import PrometheusMetrics
package import Logging
import NIOCore
import Synchronization
package import TollgateCore

/// Counts what becomes of calls that passed while Redis was away, for metrics, for the operator's page and for the log.
package final class OutageTally: Sendable {
    /// Numbers of calls, since the worker started.
    package struct Counts: Sendable, Hashable {
        /// That are not booked yet.
        package let waiting: Int
        package let booked: Int
        /// That are never booked.
        package let forgotten: Int
        /// Whether there was one of the last within the last hour.
        package let isRecent: Bool
    }

    private static let recentNanoseconds: UInt64 = 3_600_000_000_000

    private let waitingCalls = Atomic<Int>(0)
    private let bookedCalls = Atomic<Int>(0)
    private let forgottenCalls = Atomic<Int>(0)

    /// By the monotonic clock. 0 as long as there was none.
    private let lastForgotten = Atomic<UInt64>(0)
    private let workersAlive: Meter
    private let waiting: Meter
    private let booked: Counter
    private let forgotten: Counter
    private let leftToRedis: Counter
    private let metrics: GatewayMetrics
    private let logger: Logger

    package init(factory: any MetricsFactory, metrics: GatewayMetrics, logger: Logger) {
        workersAlive = factory.gauge(
            "tollgate_workers_alive", help: "Workers that a limit is divided by while Redis is away.")
        workersAlive.set(1)
        waiting = factory.gauge(
            "tollgate_outage_calls_waiting", help: "Calls that passed without Redis and are not booked yet.")
        booked = factory.counter(
            "tollgate_outage_calls_booked", help: "Calls that passed without Redis and were booked afterwards.")
        forgotten = factory.counter(
            "tollgate_outage_calls_forgotten", help: "Calls that passed without Redis and are never booked.")
        leftToRedis = factory.counter(
            "tollgate_outage_calls_left_to_redis",
            help: "Calls that passed after Redis was asked in vain: it may have charged them, so they are not booked.")
        self.metrics = metrics
        self.logger = logger
    }

    package var counts: Counts {
        let last = lastForgotten.load(ordering: .relaxed)
        return Counts(
            waiting: waitingCalls.load(ordering: .relaxed), booked: bookedCalls.load(ordering: .relaxed),
            forgotten: forgottenCalls.load(ordering: .relaxed),
            isRecent: last != 0 && NIODeadline.now().uptimeNanoseconds - last < Self.recentNanoseconds)
    }

    /// A limit is divided by so many workers while Redis is away.
    func workersAlive(_ count: Int) { workersAlive.set(count) }

    /// So many calls are not booked yet. Called in the order in which their number changes.
    package func waiting(_ calls: Int) {
        waitingCalls.store(calls, ordering: .relaxed)
        waiting.set(calls)
    }

    /// Calls have passed whose admission Redis has perhaps carried out, or will: they are not booked a second time.
    func leftToRedis(calls: Int) { leftToRedis.increment(by: calls) }

    /// There was no room for a call.
    func forgotten(_ charge: OutageCharge) {
        forget(charge.calls)
        logger.warning(
            "too many users have passed while Redis is away; a call of one of them will not be booked",
            metadata: ["user": "\(charge.userID)", "calls": "\(charge.calls)", "route": "\(charge.route)"])
    }

    /// Redis has answered with an error.
    package func failed(_ batch: OutageBook.Batch, _ code: StoreErrorCode, _ error: StoreUnavailable) {
        metrics.storeAnsweredError(code)
        logger.warning(
            "Redis answered the booking of calls that passed while it was away with an error; it is told again",
            metadata: [
                "code": "\(code.rawValue)", "user": "\(batch.userID)", "calls": "\(batch.calls)",
                "cause": "\(error.reason.prefix(512))",
            ])
    }

    /// A batch is told no more.
    package func ended(_ ending: OutageBook.Ending, _ batch: OutageBook.Batch) {
        switch ending {
        case .booked:
            bookedCalls.wrappingAdd(batch.calls, ordering: .relaxed)
            booked.increment(by: batch.calls)
        case .givenUp:
            forget(batch.calls)
            logger.warning(
                "Redis did not take calls that passed while it was away for days; they are not booked",
                metadata: ["user": "\(batch.userID)", "calls": "\(batch.calls)"])
        }
    }

    /// The worker ends.
    package func stopped(waiting calls: Int) {
        guard calls > 0 else { return }
        forget(calls)
        logger.warning(
            "the worker ends, and with it the memory of calls that passed while Redis was away; they are not booked",
            metadata: ["calls": "\(calls)"])
    }

    private func forget(_ calls: Int) {
        lastForgotten.store(NIODeadline.now().uptimeNanoseconds, ordering: .relaxed)
        forgottenCalls.wrappingAdd(calls, ordering: .relaxed)
        forgotten.increment(by: calls)
    }
}
