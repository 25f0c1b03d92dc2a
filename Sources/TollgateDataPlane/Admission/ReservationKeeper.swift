import CoreMetrics
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import TollgateCore

/// Sees to it that every reservation of this worker ends as its request did: gives it time while the request is in work,
/// and tells Redis the end until Redis has heard it. One ``ReservationBook`` on every event loop.
package final class ReservationKeeper: Sendable {
    private let loops: [NIOLoopBoundBox<AdmissionLoop>]
    private let tally: ReservationTally

    /// - Parameters:
    ///   - port: The store as an event loop has it.
    ///   - monotonicMilliseconds: What the age of a lease is measured by.
    package init(
        port: (any EventLoop) -> any AdmissionPort, time: any TimeSource,
        monotonicMilliseconds: @escaping @Sendable () -> Int64, eventLoopGroup: any EventLoopGroup,
        metricsFactory: any MetricsFactory, metrics: GatewayMetrics, logger: Logger
    ) {
        let tally = ReservationTally(factory: metricsFactory, metrics: metrics, logger: logger)
        self.tally = tally
        loops = eventLoopGroup.makeIterator().map { eventLoop in
            // The worker starts on none of them.
            NIOLoopBoundBox.makeBoxSendingValue(
                AdmissionLoop(
                    port: port(eventLoop), time: time, monotonicMilliseconds: monotonicMilliseconds,
                    eventLoop: eventLoop, tally: tally), eventLoop: eventLoop)
        }
    }

    /// What has become of reservations since the worker started.
    package var counts: ReservationTally.Counts { tally.counts }

    /// What `eventLoop` has for itself. Call on it. Nil for a loop of another group.
    func on(_ eventLoop: any EventLoop) -> AdmissionLoop? {
        loops.first { $0.eventLoop === eventLoop }?.value
    }

    // MARK: For callers that live on no event loop

    /// A reservation that is being kept.
    package struct Kept: Sendable {
        fileprivate let reservation: Reservation
        fileprivate let loop: NIOLoopBoundBox<AdmissionLoop>

        /// Ends it. Returns when Redis has been asked once; what it did not hear it is told again.
        package func end(as outcome: Reservation.Outcome) async {
            let (loop, reservation) = (loop, reservation)
            await withCheckedContinuation { continuation in
                loop.eventLoop.execute { loop.value.ended(reservation, as: outcome) { continuation.resume() } }
            }
        }
    }

    /// Keeps `reservation` from now on.
    func keep(_ reservation: Reservation, leaseSeconds: Int64) -> Kept? {
        guard let loop = loops.randomElement() else { return nil }
        loop.eventLoop.execute { loop.value.opened(reservation, leaseSeconds: leaseSeconds) }
        return Kept(reservation: reservation, loop: loop)
    }

    // MARK: The end of the worker

    /// What remains to be told when no request is left is told before Redis' connections close, or given up when
    /// the worker's time is over.
    package var service: any Service { BookkeepingService(tally: tally) }

    private struct BookkeepingService: Service {
        let tally: ReservationTally

        func run() async throws {
            try? await gracefulShutdown()
            while tally.counts.waiting > 0, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(50)) }
            tally.stopped()
        }
    }
}

/// What an event loop has for admissions: its port to the store, and the reservations of its requests.
///
/// Confined to it.
final class AdmissionLoop {
    /// How often it is looked what is due.
    private static let interval: TimeAmount = .seconds(1)

    let port: any AdmissionPort
    let eventLoop: any EventLoop
    private let time: any TimeSource
    private let monotonicMilliseconds: @Sendable () -> Int64
    private let tally: ReservationTally
    private var book = ReservationBook()
    private var isTimerSet = false

    /// What is to be called once Redis was asked, by the reservation's id.
    private var waiters: [String: () -> Void] = [:]

    fileprivate init(
        port: any AdmissionPort, time: any TimeSource, monotonicMilliseconds: @escaping @Sendable () -> Int64,
        eventLoop: any EventLoop, tally: ReservationTally
    ) {
        self.port = port
        self.time = time
        self.monotonicMilliseconds = monotonicMilliseconds
        self.eventLoop = eventLoop
        self.tally = tally
    }

    private var now: Int64 { monotonicMilliseconds() }

    /// `reservation` was granted just now, for so long.
    func opened(_ reservation: Reservation, leaseSeconds: Int64) {
        book.opened(reservation, leaseSeconds: leaseSeconds, at: now)
        setTimer()
    }

    /// Its request has ended. `whenAsked` is called once, when Redis was asked for the first time.
    func ended(
        _ reservation: Reservation, as outcome: Reservation.Outcome, whenAsked: (() -> Void)? = nil
    ) {
        waiters[reservation.id] = whenAsked
        let waitingBefore = book.waitingEnds
        let (actions, givenUp) = book.ended(reservation, as: outcome, at: now)
        tally.waiting(book.waitingEnds - waitingBefore)
        for _ in 0..<givenUp { tally.ended(.unsettled, nil) }
        perform(actions)
    }

    private func perform(_ actions: [ReservationBook.Action]) {
        for action in actions {
            switch action {
            case .settle(let reservation, let outcome):
                port.settle(reservation, as: outcome) { result in
                    self.tally.answered(result, reservation)
                    self.settled(reservation, Self.answer(result))
                }
            case .renew(let reservation, let seconds):
                port.renew(reservation, until: time.now().adding(seconds: seconds)) { result in
                    self.tally.answered(result, reservation)
                    self.renewed(reservation, Self.answer(result))
                }
            }
        }
    }

    private func renewed(_ reservation: Reservation, _ answer: ReservationBook.Answer) {
        let actions = book.renewed(reservation, answer)
        // An end that was given up meanwhile, as one of too many, is not sent: its waiter goes on.
        if actions.isEmpty { waiters.removeValue(forKey: reservation.id)?() }
        perform(actions)
    }

    private static func answer(_ result: Result<Bool, StoreUnavailable>) -> ReservationBook.Answer {
        switch result {
        case .success(true): .done
        case .success(false): .notFound
        case .failure: .failed
        }
    }

    private func settled(_ reservation: Reservation, _ answer: ReservationBook.Answer) {
        let waitingBefore = book.waitingEnds
        let ending = book.settled(reservation, answer, at: now)
        tally.waiting(book.waitingEnds - waitingBefore)
        if let ending { tally.ended(ending, reservation) }
        waiters.removeValue(forKey: reservation.id)?()
    }

    /// One timer for all, and none as long as nothing is open.
    private func setTimer() {
        guard !isTimerSet, !book.isEmpty else { return }
        isTimerSet = true
        eventLoop.assumeIsolated().scheduleTask(in: Self.interval) {
            self.isTimerSet = false
            self.perform(self.book.due(at: self.now))
            self.setTimer()
        }
    }
}

@available(*, unavailable)
extension AdmissionLoop: Sendable {}

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
    private let lost: Counter
    private let unsettled: Counter
    private let gauge: Meter
    private let metrics: GatewayMetrics
    private let logger: Logger

    fileprivate init(factory: any MetricsFactory, metrics: GatewayMetrics, logger: Logger) {
        lost = Counter(label: "tollgate_reservations_lost", dimensions: [], factory: factory)
        unsettled = Counter(label: "tollgate_reservations_unsettled", dimensions: [], factory: factory)
        gauge = Meter(label: "tollgate_reservations_waiting", dimensions: [], factory: factory)
        self.metrics = metrics
        self.logger = logger
    }

    /// What Redis has answered to the end of a reservation, or to the question for more time.
    fileprivate func answered(_ result: Result<Bool, StoreUnavailable>, _ reservation: Reservation) {
        guard case .failure(let error) = result, case .answeredError(let code) = error.cause else { return }
        metrics.storeAnsweredError(code)
        logger.warning(
            "Redis answered the end of a call with an error; it is told again",
            metadata: [
                "code": "\(code.rawValue)", "user": "\(reservation.userID)", "cause": "\(error.reason.prefix(512))",
            ])
    }

    /// The worker ends.
    fileprivate func stopped() {
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

    fileprivate func waiting(_ change: Int) {
        guard change != 0 else { return }
        gauge.set(waitingCount.wrappingAdd(change, ordering: .relaxed).newValue)
    }

    /// - Parameter reservation: Nil when it was one of too many.
    fileprivate func ended(_ ending: ReservationBook.Ending, _ reservation: Reservation?) {
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
