import Testing
import TollgateCore

/// What is done for a reservation between its grant and its end.
@Suite struct ReservationBookTests {
    private static func reservation(_ id: String = "r1") throws -> Reservation {
        Reservation(id: id, userID: try #require(UserID("user_abc")), calls: 2, record: "\(id) 2")
    }

    /// A book with a reservation of a minute, granted at 0.
    private static func book(_ reservation: Reservation) -> ReservationBook {
        var book = ReservationBook()
        book.opened(reservation, leaseSeconds: 60, at: 0)
        return book
    }

    private static func answer(bytes count: Int) throws -> Reservation.Outcome {
        .keepAndReplay(
            try #require(StoredAnswer(status: 200, head: [], body: [UInt8](repeating: 0, count: count))))
    }

    // MARK: The end

    @Test(arguments: [Reservation.Outcome.keep, .giveBack])
    func anEndIsToldAtOnceAndOnce(outcome: Reservation.Outcome) throws {
        let reservation = try Self.reservation()
        var book = Self.book(reservation)
        #expect(!book.isEmpty && book.waitingEnds == 0)
        let told = book.ended(reservation, as: outcome, at: 5)
        #expect(told.actions == [.settle(reservation, outcome)] && told.givenUp == 0)
        #expect(book.waitingEnds == 1)
        #expect(book.due(at: 1_000_000).isEmpty, "the store is being asked")
        #expect(book.settled(reservation, .done, at: 6) == .settled)
        #expect(book.isEmpty && book.waitingEnds == 0)
    }

    @Test func whoeverComesSecondChangesNothing() throws {
        let reservation = try Self.reservation()
        var book = Self.book(reservation)
        _ = book.ended(reservation, as: .keep, at: 1)
        #expect(book.ended(reservation, as: .giveBack, at: 2).actions.isEmpty, "it has ended otherwise")
        #expect(book.waitingEnds == 1)
        #expect(book.settled(reservation, .failed, at: 3) == nil)
        #expect(book.due(at: 4) == [.settle(reservation, .keep)])
        #expect(book.settled(reservation, .done, at: 5) == .settled)
        for answer in [ReservationBook.Answer.done, .notFound, .failed] {
            #expect(book.settled(reservation, answer, at: 6) == nil)
            #expect(book.renewed(reservation, answer).isEmpty)
        }
        #expect(book.ended(reservation, as: .keep, at: 7).actions.isEmpty)
        #expect(book.isEmpty && book.waitingEnds == 0)
    }

    @Test func whatTheStoreDidNotHearIsToldAgain() throws {
        let reservation = try Self.reservation()
        var book = Self.book(reservation)
        _ = book.ended(reservation, as: .giveBack, at: 1000)
        for moment in stride(from: Int64(2000), to: 10_000, by: 1000) {
            #expect(book.settled(reservation, .failed, at: moment) == nil)
            #expect(book.waitingEnds == 1)
            #expect(book.due(at: moment) == [.settle(reservation, .giveBack)])
            #expect(book.due(at: moment).isEmpty, "not twice at a time")
        }
        #expect(book.settled(reservation, .done, at: 10_000) == .settled)
        #expect(book.isEmpty)
    }

    /// The store has done what it was told, and its answer was lost.
    @Test func whatWasHeardUnansweredIsNotLost() throws {
        let reservation = try Self.reservation()
        var book = Self.book(reservation)
        _ = book.ended(reservation, as: .keep, at: 0)
        #expect(book.settled(reservation, .failed, at: 200) == nil)
        #expect(book.due(at: 1000).count == 1)
        #expect(book.settled(reservation, .notFound, at: 1001) == .settled)
        #expect(book.isEmpty && book.waitingEnds == 0)
    }

    @Test func whatTheStoreDoesNotKnowIsLost() throws {
        let reservation = try Self.reservation()
        var book = Self.book(reservation)
        _ = book.ended(reservation, as: .keep, at: 0)
        #expect(book.settled(reservation, .notFound, at: 1) == .lost)
        #expect(book.isEmpty && book.waitingEnds == 0)
    }

    @Test func itIsToldUntilTheLeaseIsOver() throws {
        let reservation = try Self.reservation()
        var book = Self.book(reservation)
        _ = book.ended(reservation, as: .keep, at: 0)
        #expect(book.settled(reservation, .failed, at: 59_999) == nil)
        #expect(book.due(at: 60_000) == [.settle(reservation, .keep)])
        #expect(book.settled(reservation, .failed, at: 60_000) == .unsettled)
        #expect(book.isEmpty && book.waitingEnds == 0)
        #expect(book.due(at: 61_000).isEmpty)
    }

    // MARK: More time

    @Test func aLeaseIsRenewedAtItsHalf() throws {
        let reservation = try Self.reservation()
        var book = Self.book(reservation)
        for begin in stride(from: Int64(0), to: 10 * 30_000, by: 30_000) {
            #expect(book.due(at: begin + 29_999).isEmpty)
            #expect(book.due(at: begin + 30_000) == [.renew(reservation, seconds: 60)])
            #expect(book.due(at: begin + 31_000).isEmpty, "the store is being asked")
            #expect(book.renewed(reservation, .done).isEmpty)
        }
        #expect(book.waitingEnds == 0)
        _ = book.ended(reservation, as: .keep, at: 310_000)
        #expect(book.settled(reservation, .failed, at: 359_999) == nil, "the lease began anew at 300 s")
        #expect(book.due(at: 360_000).count == 1)
        #expect(book.settled(reservation, .failed, at: 360_000) == .unsettled)
    }

    /// The store has counted from when it was asked, or later.
    @Test func aLeaseBeginsWithTheQuestionAndNotWithTheAnswer() throws {
        let reservation = try Self.reservation()
        var book = Self.book(reservation)
        #expect(book.due(at: 40_000).count == 1)
        #expect(book.due(at: 69_000).isEmpty)
        _ = book.renewed(reservation, .done)
        #expect(book.due(at: 69_999).isEmpty)
        #expect(book.due(at: 70_000) == [.renew(reservation, seconds: 60)])
    }

    @Test func aQuestionForTimeThatFailedIsAskedAgain() throws {
        let reservation = try Self.reservation()
        var book = Self.book(reservation)
        for moment in stride(from: Int64(30_000), to: 90_000, by: 1000) {
            #expect(book.due(at: moment) == [.renew(reservation, seconds: 60)])
            #expect(book.renewed(reservation, .failed).isEmpty)
        }
        // The store may have kept it, which is not known: the request is still in work.
        #expect(!book.isEmpty)
        _ = book.ended(reservation, as: .keep, at: 90_000)
        #expect(book.settled(reservation, .done, at: 90_001) == .settled)
    }

    @Test func whatIsLostIsAskedForNoMoreOftenThanWhatIsNot() throws {
        let reservation = try Self.reservation()
        var book = Self.book(reservation)
        #expect(book.due(at: 30_000).count == 1)
        #expect(book.renewed(reservation, .notFound).isEmpty)
        #expect(book.due(at: 59_999).isEmpty)
        #expect(book.due(at: 60_000).count == 1)
        #expect(book.renewed(reservation, .failed).isEmpty)
        // The store has said so before it was told of any end.
        _ = book.ended(reservation, as: .keep, at: 60_500)
        #expect(book.settled(reservation, .failed, at: 60_700) == nil)
        #expect(book.due(at: 61_000).count == 1)
        #expect(book.settled(reservation, .notFound, at: 61_001) == .lost)
    }

    /// One question at a time: the end is told when the store has answered.
    @Test(arguments: [ReservationBook.Answer.done, .notFound, .failed])
    func anEndWaitsForTheAnswerToAQuestionForTime(answer: ReservationBook.Answer) throws {
        let reservation = try Self.reservation()
        var book = Self.book(reservation)
        #expect(book.due(at: 30_000).count == 1)
        #expect(book.ended(reservation, as: .giveBack, at: 30_100).actions.isEmpty)
        #expect(book.waitingEnds == 1)
        #expect(book.due(at: 31_000).isEmpty)
        #expect(book.renewed(reservation, answer) == [.settle(reservation, .giveBack)])
        #expect(book.due(at: 32_000).isEmpty)
        // How long it is told: from the question on, if the store has taken it.
        #expect(book.settled(reservation, .failed, at: 60_000) == (answer == .failed ? .unsettled : nil))
        #expect(book.isEmpty == (answer == .failed))
    }

    // MARK: Bounds

    @Test func moreBytesThanMayWaitAreToldWithoutTheAnswer() throws {
        var book = ReservationBook()
        let size = 64 * 1024
        let fitting = ReservationBook.maximumWaitingBytes / size
        let reservations = try (0...fitting + 2).map { try Self.reservation("r\($0)") }
        for reservation in reservations { book.opened(reservation, leaseSeconds: 60, at: 0) }
        let outcome = try Self.answer(bytes: size)
        for reservation in reservations[..<fitting] {
            #expect(book.ended(reservation, as: outcome, at: 0).actions == [.settle(reservation, outcome)])
        }
        let tooMany = reservations[fitting]
        #expect(book.ended(tooMany, as: outcome, at: 0).actions == [.settle(tooMany, .keep)])
        #expect(book.settled(tooMany, .failed, at: 1) == nil)
        #expect(book.due(at: 1000) == [.settle(tooMany, .keep)])
        // Ends without an answer hold no bytes, and those that have been heard hold none any more.
        #expect(book.settled(tooMany, .done, at: 1001) == .settled)
        #expect(book.settled(reservations[0], .notFound, at: 1001) == .lost)
        let next = reservations[fitting + 1]
        #expect(book.ended(next, as: outcome, at: 1002).actions == [.settle(next, outcome)])
        let last = reservations[fitting + 2]
        #expect(book.ended(last, as: outcome, at: 1003).actions == [.settle(last, .keep)])
        for reservation in reservations { _ = book.settled(reservation, .done, at: 1004) }
        #expect(book.isEmpty)
    }

    @Test func ofTooManyEndsTheOldestAreGivenUp() throws {
        var book = ReservationBook()
        let (maximum, surplus) = (ReservationBook.maximumWaitingEnds, 20)
        let open = try Self.reservation("open")
        book.opened(open, leaseSeconds: 60, at: 0)
        let reservations = try (0..<maximum + surplus).map { try Self.reservation("r\($0)") }
        for reservation in reservations { book.opened(reservation, leaseSeconds: 60, at: 0) }
        var givenUp = 0
        for reservation in reservations {
            let end = book.ended(reservation, as: .keep, at: 1)
            #expect(end.actions == [.settle(reservation, .keep)])
            givenUp += end.givenUp
            guard book.waitingEnds <= maximum else { throw NotKept(what: "the maximum") }
        }
        #expect(givenUp == surplus)
        #expect(book.waitingEnds == maximum)
        for reservation in reservations[..<surplus] {
            #expect(book.settled(reservation, .done, at: 2) == nil, "\(reservation.id) has left the book")
        }
        for reservation in reservations[surplus...] {
            guard book.settled(reservation, .done, at: 2) == .settled else { throw NotKept(what: reservation.id) }
        }
        #expect(book.waitingEnds == 0)
        #expect(!book.isEmpty, "what has not ended is never given up")
        _ = book.ended(open, as: .keep, at: 3)
        #expect(book.settled(open, .done, at: 4) == .settled)
        #expect(book.isEmpty)
    }

    /// An end that waits for the answer to a question for time is as old as any.
    @Test func anAnswerForWhatWasGivenUpChangesNothing() throws {
        var book = ReservationBook()
        let first = try Self.reservation("first")
        book.opened(first, leaseSeconds: 60, at: 0)
        #expect(book.due(at: 30_000).count == 1)
        _ = book.ended(first, as: .keep, at: 30_001)
        for number in 0..<ReservationBook.maximumWaitingEnds {
            let reservation = try Self.reservation("r\(number)")
            book.opened(reservation, leaseSeconds: 60, at: 30_002)
            _ = book.ended(reservation, as: .keep, at: 30_002)
        }
        #expect(book.waitingEnds == ReservationBook.maximumWaitingEnds)
        #expect(book.renewed(first, .done).isEmpty)
        #expect(book.settled(first, .done, at: 30_003) == nil)
        #expect(book.waitingEnds == ReservationBook.maximumWaitingEnds)
    }

    private struct NotKept: Error { let what: String }

    /// The store may fail to hear of some for ever. The others have their turn all the same.
    @Test(arguments: [true, false]) func manyHaveTheirTurns(haveEnded: Bool) throws {
        var book = ReservationBook()
        let count = 3 * ReservationBook.maximumActions + 10
        for number in 0..<count {
            let reservation = try Self.reservation("r\(number)")
            book.opened(reservation, leaseSeconds: 60, at: 0)
            guard haveEnded else { continue }
            _ = book.ended(reservation, as: .keep, at: 1)
            _ = book.settled(reservation, .failed, at: 2)
        }
        var asked: Set<Reservation> = []
        for second in 1...4 as ClosedRange<Int64> {
            let actions = book.due(at: 30_000 + second * 1000)
            #expect(actions.count <= ReservationBook.maximumActions)
            for action in actions {
                switch action {
                case .settle(let reservation, _):
                    asked.insert(reservation)
                    _ = book.settled(reservation, .failed, at: 30_001 + second * 1000)
                case .renew(let reservation, _):
                    asked.insert(reservation)
                    _ = book.renewed(reservation, .failed)
                }
            }
        }
        #expect(asked.count == count)
    }

    // MARK: Whatever happens

    @Test func nothingIsForgottenAndNothingDoneTwice() throws {
        var seen: Set<ReservationBook.Ending> = []
        var renewals = 0
        for seed in 1...12 as ClosedRange<UInt64> {
            var play = BookPlay(seed: seed)
            for _ in 0..<1000 { try play.step() }
            try play.finish()
            seen.formUnion(play.endings.values)
            renewals += play.renewals
        }
        #expect(seen == [.settled, .lost, .unsettled] && renewals > 300, "the play has left something out")
    }
}

/// Requests that come and go, and a store that answers when and what it likes. What is said of each reservation is
/// written down here a second time.
private struct BookPlay {
    fileprivate struct Known {
        let reservation: Reservation
        let leaseMilliseconds: Int64
        var leaseBegan: Int64
        var outcome: Reservation.Outcome?
        /// What the store is being asked, and since when.
        var question: (action: ReservationBook.Action, at: Int64)?
        var failures = 0
        var isLost = false
    }

    private var book = ReservationBook()
    private var generator: SplitMix
    private var now: Int64 = 0
    private var known: [String: Known] = [:]
    private var opened: [Reservation] = []

    /// How each reservation has left the book.
    private(set) var endings: [String: ReservationBook.Ending] = [:]
    private(set) var renewals = 0

    init(seed: UInt64) { generator = SplitMix(state: seed) }

    mutating func step() throws {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0, 1: try open()
        case 2: try end(known.values.filter { $0.outcome == nil }.randomReservation(using: &generator))
        case 3...6: try answer(known.values.filter { $0.question != nil }.randomReservation(using: &generator))
        case 7: try stir()
        default:
            now += .random(in: 0...8000, using: &generator)
            try look()
        }
        try check()
    }

    /// Ends what is open, and lets the store hear of everything.
    mutating func finish() throws {
        for id in known.keys.sorted() where known[id]?.outcome == nil { try end(known[id]?.reservation) }
        while !known.isEmpty {
            for id in known.keys.sorted() where known[id]?.question != nil {
                try answer(known[id]?.reservation, [.done, .notFound].randomElement(using: &generator))
            }
            now += 1000
            try look()
            try check()
        }
        #expect(book.isEmpty && book.waitingEnds == 0)
        #expect(endings.count == opened.count, "each has left once")
    }

    private mutating func open() throws {
        let reservation = Reservation(
            id: "r\(opened.count)", userID: try #require(UserID("user_abc")), calls: 1, record: "r\(opened.count)")
        let seconds = Int64.random(in: 2...60, using: &generator)
        book.opened(reservation, leaseSeconds: seconds, at: now)
        opened.append(reservation)
        known[reservation.id] = Known(reservation: reservation, leaseMilliseconds: seconds * 1000, leaseBegan: now)
    }

    private mutating func end(_ reservation: Reservation?) throws {
        guard let reservation else { return }
        let answer = try #require(StoredAnswer(status: 200, head: [1], body: [2]))
        let outcome = [Reservation.Outcome.keep, .giveBack, .keepAndReplay(answer)].randomElement(using: &generator)
        let wasAsking = known[reservation.id]?.question != nil
        known[reservation.id]?.outcome = outcome
        let end = book.ended(reservation, as: try #require(outcome), at: now)
        #expect(end.givenUp == 0)
        #expect(end.actions.isEmpty == wasAsking)
        try ask(end.actions)
    }

    private mutating func look() throws {
        let actions = book.due(at: now)
        #expect(actions.count <= ReservationBook.maximumActions)
        try ask(actions)
        guard actions.count < ReservationBook.maximumActions else { return }
        let forgotten = known.values.filter {
            $0.question == nil && ($0.outcome != nil || now - $0.leaseBegan >= $0.leaseMilliseconds / 2)
        }
        #expect(forgotten.isEmpty)
    }

    private mutating func ask(_ actions: [ReservationBook.Action]) throws {
        for action in actions {
            let reservation =
                switch action {
                case .settle(let reservation, _), .renew(let reservation, _): reservation
                }
            var entry = try #require(known[reservation.id], "it has left the book")
            #expect(entry.question == nil, "twice at a time")
            switch action {
            case .settle(_, let outcome): #expect(entry.outcome == outcome)
            case .renew(_, let seconds):
                #expect(entry.outcome == nil && seconds * 1000 == entry.leaseMilliseconds)
                #expect(now - entry.leaseBegan >= entry.leaseMilliseconds / 2, "more than once in half a lease")
                renewals += 1
            }
            entry.question = (action, now)
            known[reservation.id] = entry
        }
    }

    private mutating func answer(_ reservation: Reservation?, _ given: ReservationBook.Answer? = nil) throws {
        guard let reservation, var entry = known[reservation.id], let question = entry.question else { return }
        let anyAnswer = [ReservationBook.Answer.done, .notFound, .failed, .failed].randomElement(using: &generator)
        let answer = try #require(given ?? anyAnswer)
        entry.question = nil
        switch question.action {
        case .renew:
            if answer != .failed { (entry.leaseBegan, entry.isLost) = (question.at, answer == .notFound) }
            known[reservation.id] = entry
            let actions = book.renewed(reservation, answer)
            #expect(actions.isEmpty == (entry.outcome == nil))
            try ask(actions)
        case .settle:
            let isOver = now - entry.leaseBegan >= entry.leaseMilliseconds
            let expected: ReservationBook.Ending? =
                switch answer {
                case .done: .settled
                case .notFound: entry.failures > 0 && !entry.isLost ? .settled : .lost
                case .failed: isOver ? .unsettled : nil
                }
            if answer == .failed { entry.failures += 1 }
            known[reservation.id] = expected == nil ? entry : nil
            let ending = book.settled(reservation, answer, at: now)
            #expect(ending == expected)
            guard let ending else { return }
            let before = endings.updateValue(ending, forKey: reservation.id)
            #expect(before == nil, "it has left before")
        }
    }

    /// Late words about what has left, and a second end of what has ended.
    private mutating func stir() throws {
        guard let reservation = opened.randomElement(using: &generator) else { return }
        if let entry = known[reservation.id], entry.outcome == nil { return }
        #expect(book.ended(reservation, as: .giveBack, at: now).actions.isEmpty)
        guard known[reservation.id] == nil else { return }
        #expect(book.settled(reservation, .failed, at: now) == nil)
        #expect(book.renewed(reservation, .done).isEmpty)
    }

    private func check() throws {
        #expect(book.waitingEnds == known.values.count { $0.outcome != nil })
        #expect((0...ReservationBook.maximumWaitingEnds).contains(book.waitingEnds))
        #expect(book.isEmpty == known.isEmpty)
    }
}

extension [BookPlay.Known] {
    /// Any, the same in every run: dictionaries have their own order in each.
    fileprivate func randomReservation(using generator: inout SplitMix) -> Reservation? {
        map(\.reservation).sorted { $0.id < $1.id }.randomElement(using: &generator)
    }
}
