/// Which days of a user's history are asked for, and what they are added up to.
package struct UsageRange: Sendable, Hashable {
    /// What days are added up to.
    package enum Granularity: String, Sendable, CaseIterable {
        case day, month
    }

    /// Why a range is none.
    package enum Problem: Error, Sendable, Hashable {
        /// What stands in the parameter of that name is no day.
        case noDay(parameter: String)
        case unknownGranularity
        case endsBeforeItBegins

        /// It has more days than are kept.
        case tooLong
    }

    /// Days that are told when it is not said from when on, today included.
    static let standardDays = 30

    package let first: CalendarDay
    package let last: CalendarDay
    package let granularity: Granularity

    /// The only route whose calls are told. Nil = all, and what was refused, which is counted for no route.
    package let route: String?

    /// As a query says it. What it does not say is the last 30 days up to `today`, day by day.
    package init(
        from: String?, to: String?, granularity: String?, route: String? = nil, today: CalendarDay
    ) throws(Problem) {
        self.route = route
        guard let granularity = granularity.map(Granularity.init(rawValue:)) ?? .day else {
            throw .unknownGranularity
        }
        self.granularity = granularity
        last = if let to { try Self.day(to, "to") } else { today }
        first = if let from { try Self.day(from, "from") } else { last.days(before: Self.standardDays - 1) }
        guard first <= last else { throw .endsBeforeItBegins }
        guard dayCount <= UsageDay.keptDays else { throw .tooLong }
    }

    private static func day(_ text: String, _ parameter: String) throws(Problem) -> CalendarDay {
        guard let time = UnixTime(iso8601: text + "T00:00:00Z") else { throw .noDay(parameter: parameter) }
        return CalendarDay(containing: time)
    }

    /// From 1.
    package var dayCount: Int { Int((last.startOfDay.seconds - first.startOfDay.seconds) / 86_400) + 1 }

    /// The range's days, added up as it asks for, oldest first. Of a month that lies in it in part that part.
    package func entries(_ days: [UsageDay]) -> [Entry] {
        let days =
            route.map { route in days.map { UsageDay(day: $0.day, calls: $0.calls.filter { $0.key == route }) } }
            ?? days
        switch granularity {
        case .day: return days.map { Entry(name: $0.day.description, day: $0) }
        case .month:
            var entries: [Entry] = []
            for day in days {
                let name = String(day.day.description.dropLast(3))
                if entries.last?.name == name {
                    entries[entries.count - 1].add(day)
                } else {
                    entries.append(Entry(name: name, day: day))
                }
            }
            return entries
        }
    }

    /// What was counted on a day or in a month.
    package struct Entry: Sendable, Hashable {
        /// `YYYY-MM-DD` or `YYYY-MM`.
        package let name: String
        package private(set) var calls: [String: Int]
        package private(set) var refusals: [CountedRefusal: Int]

        init(name: String, day: UsageDay) {
            self.name = name
            calls = day.calls
            refusals = day.refusals
        }

        mutating func add(_ day: UsageDay) {
            calls.merge(day.calls, uniquingKeysWith: Self.sum)
            refusals.merge(day.refusals, uniquingKeysWith: Self.sum)
        }

        /// Of all routes.
        package var allCalls: Int { calls.values.reduce(0, Self.sum) }

        /// Counts are bounded one by one, and so is what they add up to.
        private static func sum(_ left: Int, _ right: Int) -> Int {
            (left + right).clamped(to: UsageSnapshot.countRange)
        }
    }
}
