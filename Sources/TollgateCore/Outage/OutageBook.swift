/// The calls that passed a worker while the store could not be asked, until the store has them: by user, day and route,
/// as the user's days have them.
///
/// What is told goes in batches. A batch has a number, and is told again under the same number and with the same calls
/// until the store has answered; the store takes each number of a worker once. So a batch whose answer was lost is told
/// again without harm. What passes meanwhile waits for the next one: of one user there is one batch at a time.
///
/// Pure: methods take what has happened and return what is to be done. Moments are milliseconds of a monotonic clock.
package struct OutageBook: Sendable {
    /// Lines of all users together, about 200 bytes each. A call that would begin another one is forgotten: no user can
    /// push out what is written already.
    package static let maximumLines = 65_536

    /// Lines of a batch.
    package static let maximumBatchLines = 64

    /// How soon a batch is told again when the store was not there, and when it has answered with an error: that is most
    /// likely one user's damaged record.
    static let retryMilliseconds: Int64 = 1000
    static let errorRetryMilliseconds: Int64 = 60_000

    /// How long a batch may be told again that the store may have taken, which remembers the numbers that it has taken for
    /// a day longer. Then it is given up.
    package static let repeatableMilliseconds: Int64 = 6 * 86_400_000

    /// Calls of one user, on one day, by one route.
    package struct Line: Sendable, Hashable {
        package let day: CalendarDay
        package let route: String
        package let calls: Int

        package init(day: CalendarDay, route: String, calls: Int) {
            self.day = day
            self.route = route
            self.calls = calls
        }
    }

    package struct Batch: Sendable, Hashable {
        package let userID: UserID

        /// Larger than those of all batches before it.
        package let number: Int

        /// The earliest day first.
        package let lines: [Line]

        package init(userID: UserID, number: Int, lines: [Line]) {
            self.userID = userID
            self.number = number
            self.lines = lines
        }

        package var calls: Int { lines.reduce(0) { $0.addingUpToMaximum($1.calls) } }
    }

    /// What became of a batch that was told.
    package enum Answer: Sendable, Hashable {
        /// The store has it, from now or from before.
        case booked
        /// The store was not there.
        case unreachable(mayBeDone: Bool)
        /// It has answered with an error, and has taken nothing.
        case failed
    }

    /// How a batch has left the book.
    package enum Ending: Sendable, Hashable {
        case booked
        /// It could have been taken so long ago that the store has forgotten.
        case givenUp
    }

    private struct Place: Hashable {
        let day: CalendarDay
        let route: String
    }

    private struct Account {
        var calls: [Place: Int] = [:]
        /// What is told, and stays as it is until the store has answered.
        var batch: Batch?
        /// When the batch was told for the first time without it being known whether it was taken.
        var uncertainSince: Int64?
    }

    private var accounts: [UserID: Account] = [:]

    /// Each user but those whose batch is under way is in one of these.
    private var fresh = TurnQueue()
    private var retried = TurnQueue()
    private var refused = TurnQueue()
    private var lines = 0
    private var nextNumber = 1

    /// Calls that are not booked yet.
    package private(set) var waitingCalls = 0

    package init() {}

    package var isEmpty: Bool { accounts.isEmpty }

    /// A call has passed without the store.
    ///
    /// - Parameter time: When it passed. It is booked under that day and its month.
    /// - Returns: False when there is no room: the call is forgotten.
    package mutating func passed(_ user: UserID, calls: Int, route: String, at time: UnixTime) -> Bool {
        guard calls > 0 else { return true }
        let place = Place(day: CalendarDay(containing: time), route: route)
        let before = accounts[user]?.calls[place]
        if before == nil {
            guard lines < Self.maximumLines else { return false }
            lines += 1
        }
        if accounts[user] == nil { fresh.append(user, dueAt: .min) }
        accounts[user, default: Account()].calls[place] = (before ?? 0).addingUpToMaximum(calls)
        waitingCalls = waitingCalls.addingUpToMaximum(calls)
        return true
    }

    /// What is to be told now. For each batch, ``answered(_:_:at:)`` is to be called.
    ///
    /// - Parameter limit: Batches at most: first those that were not told yet, then those that have waited longest, or some
    ///   would wait for ever behind others that the store does not take.
    package mutating func due(at now: Int64, limit: Int) -> [Batch] {
        var batches: [Batch] = []
        while batches.count < limit,
            let user = fresh.next(at: now) ?? retried.next(at: now) ?? refused.next(at: now)
        {
            if let batch = accounts[user]?.batch ?? makeBatch(of: user) { batches.append(batch) }
        }
        return batches
    }

    private mutating func makeBatch(of user: UserID) -> Batch? {
        guard var account = accounts[user] else { return nil }
        let chosen = account.calls.sorted { ($0.key.day, $0.key.route) < ($1.key.day, $1.key.route) }
            .prefix(Self.maximumBatchLines)
        for (place, _) in chosen { account.calls[place] = nil }
        let batch = Batch(
            userID: user, number: nextNumber,
            lines: chosen.map { Line(day: $0.key.day, route: $0.key.route, calls: $0.value) })
        nextNumber += 1
        account.batch = batch
        accounts[user] = account
        return batch
    }

    /// The store has answered to `batch`, or has not.
    ///
    /// - Returns: Nil when it is to be told again.
    package mutating func answered(_ batch: Batch, _ answer: Answer, at now: Int64) -> Ending? {
        guard var account = accounts[batch.userID], account.batch?.number == batch.number else { return nil }
        switch answer {
        case .booked:
            remove(batch, from: account)
            return .booked
        case .unreachable(let mayBeDone):
            if mayBeDone, account.uncertainSince == nil { account.uncertainSince = now }
        case .failed: break
        }
        if let since = account.uncertainSince, now - since >= Self.repeatableMilliseconds {
            remove(batch, from: account)
            return .givenUp
        }
        accounts[batch.userID] = account
        if answer == .failed {
            refused.append(batch.userID, dueAt: now + Self.errorRetryMilliseconds)
        } else {
            retried.append(batch.userID, dueAt: now + Self.retryMilliseconds)
        }
        return nil
    }

    private mutating func remove(_ batch: Batch, from account: Account) {
        var account = account
        (account.batch, account.uncertainSince) = (nil, nil)
        lines -= batch.lines.count
        waitingCalls = max(0, waitingCalls - batch.calls)
        accounts[batch.userID] = account.calls.isEmpty ? nil : account
        if !account.calls.isEmpty { fresh.append(batch.userID, dueAt: .min) }
    }
}

/// Users in the order in which their turn comes: each waits as long as those before.
private struct TurnQueue: Sendable {
    private var turns: [(user: UserID, dueAt: Int64)] = []
    private var first = 0

    /// - Parameter dueAt: No earlier than that of the one before.
    mutating func append(_ user: UserID, dueAt: Int64) { turns.append((user, dueAt)) }

    /// Takes the first one out, if their turn has come.
    mutating func next(at now: Int64) -> UserID? {
        guard first < turns.count, turns[first].dueAt <= now else { return nil }
        let user = turns[first].user
        first += 1
        if first > turns.count / 2 {
            turns.removeFirst(first)
            first = 0
        }
        return user
    }
}

extension Int {
    /// The sum of two counts, or the largest that there is.
    fileprivate func addingUpToMaximum(_ other: Int) -> Int {
        Swift.min(self + Swift.min(other, Plan.maximumLimit), Plan.maximumLimit)
    }
}
