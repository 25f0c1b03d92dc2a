package import CoreMetrics
package import Logging
package import NIOCore
package import ServiceLifecycle
package import TollgateCore

/// Sees to it that every reservation of this worker ends as its request did: gives it time while the request is in work,
/// and tells Redis the end until Redis has heard it. One ``ReservationBook`` on every event loop.
package final class ReservationKeeper: Sendable {
    private let loops: [NIOLoopBoundBox<LoopAdmissions>]
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
                LoopAdmissions(
                    port: port(eventLoop), time: time, monotonicMilliseconds: monotonicMilliseconds,
                    eventLoop: eventLoop, tally: tally), eventLoop: eventLoop)
        }
    }

    /// What has become of reservations since the worker started.
    package var counts: ReservationTally.Counts { tally.counts }

    /// What `eventLoop` has for itself. Call on it. Nil for a loop of another group.
    func on(_ eventLoop: any EventLoop) -> LoopAdmissions? {
        loops.first { $0.eventLoop === eventLoop }?.value
    }

    // MARK: For callers that live on no event loop

    /// A reservation that is being kept.
    package struct Kept: Sendable {
        fileprivate let reservation: Reservation
        fileprivate let loop: NIOLoopBoundBox<LoopAdmissions>

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
final class LoopAdmissions {
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
extension LoopAdmissions: Sendable {}
