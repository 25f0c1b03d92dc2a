/// The open reservations of an event loop: which of them need more time, and what the store has yet to be told of those
/// that have ended. A worker that lives loses none of them: a lease is renewed while its request is in work, and the end
/// is told again and again until the store has heard it or the lease is over.
///
/// Pure: methods take what has happened and return what is to be done. Moments are milliseconds of a monotonic clock.
package struct ReservationBook {
    /// Ends that can wait for the store at a time. Beyond them the oldest is given up.
    package static let maximumWaitingEnds = 16_384

    /// Bytes of answers to repeats that wait with them. An end beyond them is told without its answer.
    package static let maximumWaitingBytes = 8 << 20

    /// What is done at a time when many wait.
    package static let maximumActions = 1024

    package enum Action: Sendable, Hashable {
        /// Tell the store how `reservation` has ended, then call ``settled(_:_:at:)``.
        case settle(Reservation, Reservation.Outcome)
        /// Give it so many more seconds from now, then call ``renewed(_:_:at:)``.
        case renew(Reservation, seconds: Int64)
    }

    /// What became of a question to the store.
    package enum Answer: Sendable, Hashable {
        case done
        /// The store knows nothing of the reservation any more.
        case notFound
        /// It is not known whether it was done.
        case failed
    }

    /// How a reservation has left the book.
    package enum Ending: Sendable, Hashable {
        case settled
        /// It had ended before, though its lease was not over: the store has lost it, or another has given it back.
        case lost
        /// The store could not be told before the lease was over.
        case unsettled
    }

    private struct Entry {
        let reservation: Reservation
        let leaseMilliseconds: Int64
        var leaseBegan: Int64
        /// The store is being asked.
        var isAsking = false
        /// When it was due last: its grant at first.
        var askedAt: Int64
        /// The store has said that it knows nothing of it.
        var isLost = false
        var outcome: Reservation.Outcome?
        /// Questions after which it may have ended without our knowledge.
        var failures = 0
        var number: UInt64 = 0

        func isDue(at now: Int64) -> Bool {
            !isAsking && (outcome != nil || now - leaseBegan >= leaseMilliseconds / 2)
        }
    }

    private var entries: [String: Entry] = [:]
    private var waitingBytes = 0
    private var waitingCount = 0
    private var nextNumber: UInt64 = 0

    package init() {}

    package var isEmpty: Bool { entries.isEmpty }

    /// Reservations that have ended and of which the store has not heard.
    package var waitingEnds: Int { waitingCount }

    /// `reservation` was granted just now.
    package mutating func opened(_ reservation: Reservation, leaseSeconds: Int64, at now: Int64) {
        entries[reservation.id] = Entry(
            reservation: reservation, leaseMilliseconds: leaseSeconds * 1000, leaseBegan: now, askedAt: now)
    }

    /// The request has ended.
    ///
    /// - Returns: What is to be done at once, and the ends that are given up for it.
    package mutating func ended(
        _ reservation: Reservation, as outcome: Reservation.Outcome, at now: Int64
    ) -> (actions: [Action], givenUp: Int) {
        guard var entry = entries[reservation.id], entry.outcome == nil else { return ([], 0) }
        var outcome = outcome
        if case .keepAndReplay = outcome, waitingBytes + outcome.byteCount > Self.maximumWaitingBytes {
            outcome = .keep
        }
        let givenUp = waitingCount >= Self.maximumWaitingEnds ? giveUpOldest() : 0
        nextNumber += 1
        entry.outcome = outcome
        entry.number = nextNumber
        waitingCount += 1
        waitingBytes += outcome.byteCount
        // The answer to a question for more time comes first.
        let waits = entry.isAsking
        entry.isAsking = true
        entries[reservation.id] = entry
        return (waits ? [] : [.settle(reservation, outcome)], givenUp)
    }

    /// The store has answered to the end of `reservation`.
    ///
    /// - Returns: Nil when it is to be told again.
    package mutating func settled(_ reservation: Reservation, _ answer: Answer, at now: Int64) -> Ending? {
        guard var entry = entries[reservation.id], entry.outcome != nil else { return nil }
        switch answer {
        case .done:
            remove(entry)
            return .settled
        case .notFound:
            remove(entry)
            // An earlier telling was heard, though its answer was lost.
            return entry.failures > 0 && !entry.isLost ? .settled : .lost
        case .failed:
            entry.failures += 1
            entry.isAsking = false
            if now - entry.leaseBegan >= entry.leaseMilliseconds {
                remove(entry)
                return .unsettled
            }
            entries[reservation.id] = entry
            return nil
        }
    }

    /// The store has answered to the question for more time.
    ///
    /// - Returns: What is to be done at once.
    package mutating func renewed(_ reservation: Reservation, _ answer: Answer) -> [Action] {
        guard var entry = entries[reservation.id] else { return [] }
        if answer != .failed {
            // What is lost is asked for no more often than what is not.
            entry.leaseBegan = entry.askedAt
            entry.isLost = answer == .notFound
        }
        entry.isAsking = entry.outcome != nil
        entries[reservation.id] = entry
        return entry.outcome.map { [.settle(reservation, $0)] } ?? []
    }

    /// What is due, every second or so: ends that the store has not heard of, and leases of which half is over.
    package mutating func due(at now: Int64) -> [Action] {
        var due = entries.values.filter { $0.isDue(at: now) }
        // Those that wait longest: else some would wait for ever behind others that the store fails to hear of.
        if due.count > Self.maximumActions { due.sort { $0.askedAt < $1.askedAt } }
        return due.prefix(Self.maximumActions).map { entry in
            entries[entry.reservation.id]?.isAsking = true
            entries[entry.reservation.id]?.askedAt = now
            return entry.outcome.map { .settle(entry.reservation, $0) }
                ?? .renew(entry.reservation, seconds: entry.leaseMilliseconds / 1000)
        }
    }

    private mutating func remove(_ entry: Entry) {
        entries[entry.reservation.id] = nil
        guard let outcome = entry.outcome else { return }
        waitingCount -= 1
        waitingBytes -= outcome.byteCount
    }

    private mutating func giveUpOldest() -> Int {
        guard let oldest = entries.values.filter({ $0.outcome != nil }).min(by: { $0.number < $1.number }) else {
            return 0
        }
        remove(oldest)
        return 1
    }
}

extension Reservation.Outcome {
    /// What is held of an answer.
    fileprivate var byteCount: Int {
        if case .keepAndReplay(let answer) = self { answer.head.count + answer.body.count } else { 0 }
    }
}
