/// Which workers a worker has seen alive, and so which part of a limit is its own while they cannot ask each other.
///
/// Pure: moments are milliseconds of a monotonic clock.
package struct FleetView: Sendable {
    /// How long a worker counts after it was seen last, by the readings that follow: one that is missing in a single
    /// reading does not make the others' parts larger. As long as there are no readings, no worker is forgotten.
    static let keptMilliseconds: Int64 = 15_000

    private let ownID: String
    private var seenAt: [String: Int64] = [:]

    /// What of a limit is this worker's.
    package private(set) var share = WorkerShare(place: 0, of: 1)

    /// - Parameter ownID: The worker's own id. It counts itself, whatever it reads.
    package init(ownID: String) { self.ownID = ownID }

    /// `ids` were alive at `now`.
    package mutating func saw(_ ids: [String], at now: Int64) {
        for id in ids + [ownID] { seenAt[id] = now }
        seenAt = seenAt.filter { now - $0.value < Self.keptMilliseconds }
        let place = seenAt.keys.count { $0 < ownID }
        share = WorkerShare(place: place, of: seenAt.count)
    }
}

/// One worker's part of what all have together. The parts of workers that see the same ones add up to the whole.
package struct WorkerShare: Sendable, Hashable {
    /// From 0, in the order of the workers' ids.
    private let place: Int
    package let count: Int

    package init(place: Int, of count: Int) {
        self.count = max(1, count)
        self.place = place.clamped(to: 0...self.count - 1)
    }

    /// The same number for each worker, and one more for as many of the first as are needed to make up `total`.
    package func part(of total: Int) -> Int {
        guard total > 0 else { return 0 }
        return total / count + (place < total % count ? 1 : 0)
    }
}
