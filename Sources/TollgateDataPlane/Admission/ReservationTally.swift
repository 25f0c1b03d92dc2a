import CoreMetrics
import PrometheusMetrics
import Logging
import NIOCore
import Synchronization
import TollgateCore

/// Counts what becomes of reservations, for metrics, for the operator's page and for the log.
package final class ReservationTally: Sendable {
    /// Numbers of reservations.
    package struct Counts: Sendable, Hashable {
        /// That have ended and of which Redis has not heard yet.
        package let waiting: Int
        /// Of which Redis had lost track before it heard of their end.
        package let lost: Int
        /// Of whose end Redis could not be told before their lease was over: their calls go back.
        package let unsettled: Int
        /// Whether there was one of the last two within the last hour.
        package let isRecent: Bool
    }

    private static let recentNanoseconds: UInt64 = 3_600_000_000_000

    private let waitingCount = Atomic<Int>(0)
    private let lostCount = Atomic<Int>(0)
    private let unsettledCount = Atomic<Int>(0)

    /// By the monotonic clock. 0 as long as there was none.
    private let lastTrouble = Atomic<UInt64>(0)
    private let waiting: Meter
    private let lost: Counter
    private let unsettled: Counter
    private let metrics: GatewayMetrics
    private let logger: Logger

    init(factory: any MetricsFactory, metrics: GatewayMetrics, logger: Logger) {
        waiting = factory.gauge(
            "tollgate_reservations_waiting", help: "Ends of calls that Redis has not heard yet.")
        lost = factory.counter(
            "tollgate_reservations_lost", help: "Reservations that Redis did not know any more.")
        unsettled = factory.counter(
            "tollgate_reservations_unsettled",
            help: "Ends that Redis was not told before the lease was over: the calls were given back.")
        self.metrics = metrics
        self.logger = logger
    }

    /// What Redis has answered to the end of a reservation, or to the question for more time.
    func answered(_ result: Result<Bool, StoreUnavailable>, _ reservation: Reservation) {
        guard case .failure(let error) = result, case .answeredError(let code) = error.cause else { return }
        metrics.storeAnsweredError(code)
        logger.warning(
            "Redis answered the end of a call with an error; it is told again",
            metadata: [
                "code": "\(code.rawValue)", "user": "\(reservation.userID)", "cause": "\(error.reason.prefix(512))",
            ])
    }

    /// The worker ends.
    func stopped() {
        let waiting = counts.waiting
        guard waiting > 0 else { return }
        logger.warning(
            "Redis was not told how calls have ended; those charged by success are given back when their leases end",
            metadata: ["calls": "\(waiting)"])
    }

    package var counts: Counts {
        let trouble = lastTrouble.load(ordering: .relaxed)
        return Counts(
            waiting: waitingCount.load(ordering: .relaxed), lost: lostCount.load(ordering: .relaxed),
            unsettled: unsettledCount.load(ordering: .relaxed),
            isRecent: trouble != 0 && NIODeadline.now().uptimeNanoseconds - trouble < Self.recentNanoseconds)
    }

    func waiting(_ change: Int) {
        guard change != 0 else { return }
        waiting.set(waitingCount.wrappingAdd(change, ordering: .relaxed).newValue)
    }

    /// - Parameter reservation: Nil when it was one of too many.
    func ended(_ ending: ReservationBook.Ending, _ reservation: Reservation?) {
        // Nothing hangs on one that holds no calls but whether a repeat is answered.
        guard ending != .settled, reservation?.calls != 0 else { return }
        let facts: Logger.Metadata = [
            "user": "\(reservation.map { $0.userID.value } ?? "-")", "calls": "\(reservation?.calls ?? 1)",
        ]
        lastTrouble.store(NIODeadline.now().uptimeNanoseconds, ordering: .relaxed)
        switch ending {
        case .settled: break
        case .lost:
            lostCount.wrappingAdd(1, ordering: .relaxed)
            lost.increment()
            logger.warning("Redis does not know the reservation of a call that has ended", metadata: facts)
        case .unsettled:
            unsettledCount.wrappingAdd(1, ordering: .relaxed)
            unsettled.increment()
            logger.warning("Redis could not be told how a call has ended; its calls are given back", metadata: facts)
        }
    }
}
