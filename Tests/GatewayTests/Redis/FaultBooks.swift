import Testing

/// What callers were answered, compared with what stands in Redis afterwards.
///
/// Each admitted call is told how many calls its user has made. So the answers of a user are the history of a counter:
/// as long as Redis loses nothing, no number is told twice, and a call that begins after another has ended is told a
/// larger one.
struct FaultBooks {
    let users: [FaultUser]

    /// In the order of their ends.
    let answers: [FaultAnswer]

    /// By user: what stands in Redis.
    let counted: [Int]

    private let admittedByUser: [[FaultAnswer]]

    init(users: [FaultUser], answers: [FaultAnswer], counted: [Int]) {
        self.users = users
        self.answers = answers.sorted { $0.ended < $1.ended }
        self.counted = counted
        var admittedByUser = Array(repeating: [FaultAnswer](), count: users.count)
        for answer in self.answers where answer.status == 200 { admittedByUser[answer.user].append(answer) }
        self.admittedByUser = admittedByUser
    }

    func admitted(_ user: Int) -> Int { admittedByUser[user].count }

    /// The highest number that the user was told.
    func highest(_ user: Int) -> Int { admittedByUser[user].map(\.count).max() ?? 0 }

    /// Calls that may have been counted without being admitted: Redis' answer was lost.
    func unclear(_ user: Int) -> Int { answers.count { $0.user == user && $0.isUnclear } }

    /// Numbers that were told twice.
    func doubled(_ user: Int) -> Int {
        admittedByUser[user].count - Set(admittedByUser[user].map(\.count)).count
    }

    /// Admitted calls that were counted and are no longer, after Redis has lost some once: what was counted anew has their
    /// numbers.
    func lost(_ user: Int) -> Int { doubled(user) + max(0, highest(user) - counted[user]) }

    /// How far the count has gone back at most: calls were told that began when higher numbers had been told already.
    func wentBack(_ user: Int) -> Int {
        var (result, highest, next) = (0, 0, 0)
        let byEnd = admittedByUser[user]
        for answer in byEnd.sorted(by: { $0.began < $1.began }) {
            while next < byEnd.count, byEnd[next].ended <= answer.began {
                highest = max(highest, byEnd[next].count)
                next += 1
            }
            result = max(result, highest - answer.count + 1)
        }
        return result
    }

    var lost: Int { users.indices.reduce(0) { $0 + lost($1) } }
    var doubled: Int { users.indices.reduce(0) { $0 + doubled($1) } }

    /// Expects that no user had more than the plan allows but for what Redis has lost, that what was admitted is counted,
    /// and that nothing is counted that was not asked for.
    ///
    /// - Parameter losesNothing: Redis keeps all that it has acknowledged.
    func expectToAgree(losesNothing: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
        let minutes = clockMinutes
        for (index, user) in users.enumerated() {
            let (admitted, lost, unclear) = (admitted(index), lost(index), unclear(index))
            let facts: Comment =
                "\(user.name): \(admitted) admitted, \(counted[index]) counted, \(unclear) unclear, \(lost) lost"
            #expect(admitted - lost <= counted[index], facts, sourceLocation: sourceLocation)
            #expect(counted[index] <= admitted - lost + unclear, facts, sourceLocation: sourceLocation)
            #expect(counted[index] <= user.quota, facts, sourceLocation: sourceLocation)
            #expect(highest(index) <= user.quota, facts, sourceLocation: sourceLocation)
            #expect(admitted <= user.quota + lost, facts, sourceLocation: sourceLocation)
            #expect(admitted <= user.ratePerMinute * minutes + lost, facts, sourceLocation: sourceLocation)
            if losesNothing {
                #expect(lost == 0, facts, sourceLocation: sourceLocation)
                #expect(wentBack(index) == 0, facts, sourceLocation: sourceLocation)
            }
        }
        let silent = answers.count { $0.status == FaultAnswer.silent }
        #expect(silent == 0, "every call is answered", sourceLocation: sourceLocation)
        let known: Set<Int> = [200, 403, 429, 503, FaultAnswer.broken, FaultAnswer.silent]
        let others = answers.filter { !known.contains($0.status) }
        #expect(others.isEmpty, "\(others.prefix(3))", sourceLocation: sourceLocation)
    }

    /// Clock minutes that the load has touched, at most.
    private var clockMinutes: Int {
        guard let first = answers.map(\.began).min(), let last = answers.last?.ended else { return 0 }
        return Int((last - first) / 60_000_000_000) + 2
    }
}

extension FaultAnswer {
    var isRefusedForRedis: Bool { status == 503 }
    var isUnclear: Bool { status == 503 || status == FaultAnswer.broken || status == FaultAnswer.silent }
    var milliseconds: Double { Double(ended - began) / 1_000_000 }
}

// MARK: How long

extension FaultBooks {
    /// Calls that were answered 503, or not at all, and began in this time.
    func refused(_ range: Range<Int64> = 0..<Int64.max) -> [FaultAnswer] {
        answers.filter { $0.isUnclear && range.contains($0.began) }
    }

    /// From the first call that was refused since `fault` to the end of the last, in milliseconds.
    func outageMilliseconds(since fault: Int64) -> Double {
        let refused = refused(fault..<Int64.max)
        guard let first = refused.map(\.began).min(), let last = refused.last else { return 0 }
        return Double(last.ended - first) / 1_000_000
    }

    /// From `moment` until the worker that was last to admit one of `users` has done so, in milliseconds.
    func returnMilliseconds(since moment: Int64, users: Set<Int>? = nil) -> Double {
        var firsts: [Int: Int64] = [:]
        for answer in answers where answer.status == 200 && answer.ended >= moment {
            if users?.contains(answer.user) ?? true, firsts[answer.worker] == nil {
                firsts[answer.worker] = answer.ended - moment
            }
        }
        let workers = Set(answers.map(\.worker))
        return firsts.count == workers.count ? Double(firsts.values.max() ?? 0) / 1_000_000 : .infinity
    }

    /// The time within which so many of a hundred of `answers` came, in milliseconds.
    static func percentile(_ percent: Int, of answers: [FaultAnswer]) -> Double {
        let sorted = answers.map(\.milliseconds).sorted()
        return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, sorted.count * percent / 100)]
    }
}
