/// When to ask a cluster's servers for its map: soon after a reason, but not at each of a thousand reasons; again and
/// again while it is not as it should be; and every now and then.
///
/// Pure. Moments are nanoseconds of a monotonic clock.
struct RefreshPolicy {
    /// Between the beginnings of two rounds at least.
    static let shortestNanoseconds: Int64 = 100_000_000

    /// Between two rounds while a server is missing, for the first seconds and then.
    static let eagerNanoseconds: Int64 = 200_000_000
    static let patientNanoseconds: Int64 = 1_000_000_000

    /// How long a doubt is a new one.
    static let eagerForNanoseconds: Int64 = 15_000_000_000

    let regularNanoseconds: Int64

    private var isUnderWay = false
    private var isWantedAgain = false
    private var lastBegan: Int64?
    private var doubtSince: Int64?

    init(regularNanoseconds: Int64) { self.regularNanoseconds = regularNanoseconds }

    /// There is a reason to ask.
    ///
    /// - Returns: When to begin. Nil while a round is under way; its end tells.
    mutating func mapIsInDoubt(now: Int64) -> Int64? {
        guard !isUnderWay else {
            isWantedAgain = true
            return nil
        }
        return soon(now)
    }

    mutating func began(now: Int64) {
        (isUnderWay, isWantedAgain, lastBegan) = (true, false, now)
    }

    /// - Parameters:
    ///   - isNew: The round has found another map.
    ///   - isInDoubt: Not all is as it should be.
    /// - Returns: When to begin the next one.
    mutating func ended(now: Int64, isNew: Bool, isInDoubt: Bool) -> Int64 {
        isUnderWay = false
        if isNew || !isInDoubt { doubtSince = nil }
        guard isInDoubt else { return isWantedAgain ? soon(now) : now + regularNanoseconds }
        let since = doubtSince ?? now
        doubtSince = since
        let pause = now - since < Self.eagerForNanoseconds ? Self.eagerNanoseconds : Self.patientNanoseconds
        return isWantedAgain ? soon(now) : now + pause
    }

    private func soon(_ now: Int64) -> Int64 {
        max(now, (lastBegan ?? .min / 2) + Self.shortestNanoseconds)
    }
}

/// What `CLUSTER INFO` answers (https://redis.io/docs/latest/commands/cluster-info/).
struct ClusterInfo {
    private let fields: [Substring: Substring]

    init(_ text: String) {
        let lines = text.split(whereSeparator: \.isNewline).compactMap { line -> (Substring, Substring)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (line[..<colon], line[line.index(after: colon)...])
        }
        fields = Dictionary(lines) { first, _ in first }
    }

    /// The latest configuration epoch that the server knows. 0 when it does not tell.
    var currentEpoch: Int64 { fields["cluster_current_epoch"].flatMap { Int64($0) } ?? 0 }
}
