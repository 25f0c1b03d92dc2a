/// Of which percents of a quota's use the operator is told.
package struct AlertThresholds: Sendable, Hashable {
    /// Of one plan. Each user who uses a quota up takes so many messages a period.
    package static let maximumCount = 10

    package static let percentRange = 1...100

    /// 50, 80 and 100 percent.
    package static let standard = AlertThresholds(trusted: [50, 80, 100])

    /// No alert at all.
    package static let none = AlertThresholds(trusted: [])

    /// In ascending order, each once.
    package let percents: [Int]

    private init(trusted percents: [Int]) { self.percents = percents }

    /// In any order. Fails for one out of ``percentRange``, one that stands there twice, and more than ``maximumCount``.
    package init?(_ percents: [Int]) {
        guard percents.count <= Self.maximumCount, Set(percents).count == percents.count,
            percents.allSatisfy(Self.percentRange.contains)
        else { return nil }
        self.init(trusted: percents.sorted())
    }

    /// The percents of `limit` that are reached when the count of calls rises from `before` to `after`.
    package func crossed(from before: Int, to after: Int, of limit: Int) -> [Int] {
        // On the way of every call, of which next to none crosses anything.
        guard after > before, limit > 0 else { return [] }
        return percents.filter { percent in
            let threshold = Self.calls(percent, of: limit)
            return before < threshold && threshold <= after
        }
    }

    /// The percents of `limit` that are reached with `count` calls.
    package func reached(with count: Int, of limit: Int) -> [Int] { crossed(from: 0, to: count, of: limit) }

    /// The first count that is `percent` of `limit` or more. The largest limit is far from where this overflows.
    private static func calls(_ percent: Int, of limit: Int) -> Int {
        (min(limit, Plan.maximumLimit) * percent + 99) / 100
    }
}
