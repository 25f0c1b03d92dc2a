/// Chooses an upstream: two at random in proportion to their weights, and of these the one with fewer requests in
/// flight for its weight ("the power of two choices": nearly as good as asking all, and no herd runs to the one that
/// looked best a moment ago).
///
/// Pure: chance is an argument.
struct UpstreamChoice {
    struct Candidate {
        let weight: Int
        let inFlight: Int
        let isAvailable: Bool
        /// Ejected, but chosen when no other upstream is left.
        let isLastResort: Bool
    }

    /// - Parameters:
    ///   - tried: Bit `n` is set when candidate `n` was tried by this request already.
    ///   - random: Gives a number in `0..<bound`.
    /// - Returns: The index of the choice. Nil when there is none. One that was tried is taken again, and one that is
    ///   ejected is taken, when no other is left: it may answer, and a refusal would not.
    static func choose(
        _ candidates: some RandomAccessCollection<Candidate>, tried: UInt64, random: (_ bound: Int) -> Int
    ) -> Int? {
        var best: UInt64 = 0
        var bestRank = 0
        var bit: UInt64 = 1
        for candidate in candidates {
            let isTried = tried & bit != 0
            let rank = candidate.isAvailable ? (isTried ? 3 : 4) : candidate.isLastResort ? (isTried ? 1 : 2) : 0
            if rank > bestRank { (bestRank, best) = (rank, 0) }
            if rank == bestRank, rank > 0 { best |= bit }
            bit <<= 1
        }
        switch best.nonzeroBitCount {
        case 0: return nil
        case 1: return best.trailingZeroBitCount
        default: return chooseOfTwo(candidates, among: best, random: random)
        }
    }

    private static func chooseOfTwo(
        _ candidates: some RandomAccessCollection<Candidate>, among set: UInt64, random: (_ bound: Int) -> Int
    ) -> Int {
        func candidate(_ index: Int) -> Candidate {
            candidates[candidates.index(candidates.startIndex, offsetBy: index)]
        }
        func draw(_ set: UInt64) -> Int {
            var ticket = random(indices(set).reduce(0) { $0 + candidate($1).weight })
            for index in indices(set) {
                ticket -= candidate(index).weight
                if ticket < 0 { return index }
            }
            return set.trailingZeroBitCount
        }
        let first = draw(set)
        let second = draw(set & ~(1 << UInt64(first)))
        // (inFlight + 1) / weight, without the division.
        let firstLoad = (candidate(first).inFlight + 1) * candidate(second).weight
        let secondLoad = (candidate(second).inFlight + 1) * candidate(first).weight
        return secondLoad < firstLoad ? second : first
    }

    /// The numbers of the bits that are set.
    private static func indices(_ set: UInt64) -> some Sequence<Int> {
        sequence(state: set) { rest -> Int? in
            guard rest != 0 else { return nil }
            defer { rest &= rest - 1 }
            return rest.trailingZeroBitCount
        }
    }
}
