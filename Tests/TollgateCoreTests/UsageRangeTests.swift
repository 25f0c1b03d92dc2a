import Testing
import TollgateCore

/// Which days are asked for, and what they are added up to.
@Suite struct UsageRangeTests {
    private static let today = CalendarDay(year: 2025, month: 11, day: 26)

    private static func range(
        _ from: String?, _ to: String?, _ granularity: String? = nil
    ) throws(UsageRange.Problem) -> UsageRange {
        try UsageRange(from: from, to: to, granularity: granularity, today: today)
    }

    @Test(
        arguments: [
            (nil, nil, "2025-10-28", "2025-11-26", 30), (nil, "2024-03-01", "2024-02-01", "2024-03-01", 30),
            ("2025-11-26", nil, "2025-11-26", "2025-11-26", 1),
            ("2024-02-28", "2024-03-01", "2024-02-28", "2024-03-01", 3),
            ("2024-10-23", "2025-11-26", "2024-10-23", "2025-11-26", 400),
            // Days to come have no calls.
            ("2025-11-26", "2026-11-26", "2025-11-26", "2026-11-26", 366),
        ] as [(String?, String?, String, String, Int)])
    func bothDaysArePartOfTheRange(from: String?, to: String?, first: String, last: String, days: Int) throws {
        let range = try Self.range(from, to)
        #expect(range.first.description == first && range.last.description == last && range.dayCount == days)
        #expect(range.granularity == .day)
    }

    @Test(
        arguments: [
            ("2025-11-31", nil, nil, .noDay(parameter: "from")), (nil, "26.11.2025", nil, .noDay(parameter: "to")),
            ("", nil, nil, .noDay(parameter: "from")), ("2025-11-26T00:00:00Z", nil, nil, .noDay(parameter: "from")),
            ("2025-11-27", nil, nil, .endsBeforeItBegins), ("2024-10-22", nil, nil, .tooLong),
            ("0000-01-01", "9999-12-31", nil, .tooLong), (nil, nil, "hour", .unknownGranularity),
            (nil, nil, "", .unknownGranularity), (nil, nil, "Day", .unknownGranularity),
        ] as [(String?, String?, String?, UsageRange.Problem)])
    func whatIsNoRangeIsRefused(from: String?, to: String?, granularity: String?, problem: UsageRange.Problem) {
        #expect(throws: problem) { try Self.range(from, to, granularity) }
    }

    @Test func daysAreAddedUpToMonths() throws {
        let range = try Self.range("2025-10-30", "2025-12-01", "month")
        let days = (0..<range.dayCount).reversed().map { age in
            UsageDay(
                day: range.last.days(before: age), calls: age % 2 == 0 ? ["a": 1] : ["b": 2],
                refusals: age == 5 ? [.quotaExceeded: 3] : [:])
        }
        let entries = range.entries(days)
        #expect(entries.map(\.name) == ["2025-10", "2025-11", "2025-12"])
        #expect(entries.map(\.calls) == [["a": 1, "b": 2], ["a": 15, "b": 30], ["a": 1]])
        #expect(entries.map(\.refusals) == [[:], [.quotaExceeded: 3], [:]])
        #expect(entries.map(\.allCalls) == [3, 45, 1])
        #expect(
            try Self.range("2025-10-30", "2025-12-01").entries(days).map(\.name).suffix(2) == [
                "2025-11-30", "2025-12-01",
            ])
    }

    /// Whatever somebody has written: no sum is a trap.
    @Test func sumsAreBounded() throws {
        let most = UsageSnapshot.countRange.upperBound
        let calls = Dictionary(uniqueKeysWithValues: (0..<4096).map { ("r\($0)", most) })
        let range = try Self.range("2025-11-01", "2025-11-26", "month")
        let days = (0..<26).map { UsageDay(day: Self.today.days(before: 25 - $0), calls: calls) }
        let entry = try #require(range.entries(days).first)
        #expect(entry.allCalls == most && entry.calls["r7"] == most)
    }
}
