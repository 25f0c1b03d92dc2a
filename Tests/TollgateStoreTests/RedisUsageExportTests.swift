import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// A month of all users, as an export reads it. The time is 2025-11-26T23:00:00Z.
@Suite struct RedisUsageExportTests {
    private static let today = CalendarDay(containing: KeyGateway.time)

    private static func month(_ gateway: KeyGateway) async throws -> [UserMonth] {
        var months: [UserMonth] = []
        try await RedisUsageExport(client: gateway.client).month(of: today) { months += $0 }
        return months
    }

    private static func users(_ count: Int) throws -> [UserID] {
        try (0..<count).map { try #require(UserID("user_\($0)")) }
    }

    /// Each user once, with the days on which there was anything, of this month and no other.
    @Test func aMonthOfManyUsersIsReadTogether() async throws {
        try await KeyGateway.run { gateway in
            let users = try Self.users(1203)
            try await RedisUserIndex(client: gateway.client).add(users, at: KeyGateway.time)
            for (number, user) in users.enumerated() where number % 3 == 0 {
                for month in ["2025-10", "2025-11", "2025-12"] {
                    let (key, calls) = ("usage:{\(user.value)}:\(month)", "\(number + 1)")
                    try await gateway.send("HSET", key + "-0", "01/search", calls, "01!quota-exceeded", "2")
                    try await gateway.send("HSET", key + "-3", "30/search", calls, "30!quota-exceeded", "2")
                }
            }
            let months = try await Self.month(gateway)
            #expect(months.count == users.count && Set(months.map(\.userID)) == Set(users))
            for month in months {
                let number = try #require(users.firstIndex(of: month.userID))
                #expect(month.firstDay == CalendarDay(year: 2025, month: 11, day: 1))
                let expected = [1, 30].map {
                    UsageDay(
                        day: CalendarDay(year: 2025, month: 11, day: $0), calls: ["search": number + 1],
                        refusals: [.quotaExceeded: 2])
                }
                #expect(month.days == (number % 3 == 0 ? expected : []), "\(number)")
            }
        }
    }

    @Test func withoutUsersThereIsNothing() async throws {
        try await KeyGateway.run { gateway in
            let months = try await Self.month(gateway)
            #expect(months.isEmpty)
        }
    }

    /// Also what the release before has written, and hashes that are read in steps.
    @Test func itHasWhatTheHistoryHas() async throws {
        try await KeyGateway.run { gateway in
            try await RedisUserIndex(client: gateway.client).add([gateway.user], at: KeyGateway.time)
            try await gateway.client.send("HSET usage:{user_abc}:2025-11-19 search 2")
            try await gateway.client.send("HSET usage:{user_abc}:2025-11-26 search 3 billing 1")
            _ = try await gateway.admit()
            let fields = (1...3000).map { "20/r\($0) 1" }.joined(separator: " ")
            try await gateway.client.send("HSET \(KeyGateway.tenDays) \(fields)")
            let month = try await Self.month(gateway)
            let history = try await RedisUsageHistory(client: gateway.client).days(
                26, until: Self.today, of: gateway.user)
            #expect(month[0].days.map(\.day.day) == [19, 20, 26])
            #expect(month[0].days == history.filter { !$0.calls.isEmpty })
            #expect(month[0].days.last?.calls == ["search": 4, "billing": 1])
        }
    }

    @Test func aKeyOfAnotherTypeIsAFailure() async throws {
        try await KeyGateway.run { gateway in
            try await RedisUserIndex(client: gateway.client).add([gateway.user], at: KeyGateway.time)
            try await gateway.client.send("SET \(KeyGateway.tenDays) text")
            await #expect(throws: StoreUnavailable.self) { _ = try await Self.month(gateway) }
        }
    }

    /// Users call, so that they move in the index, come and are deleted between any two pages: who was there all the
    /// while is told once. So many are deleted that Redis' table becomes smaller.
    @Test(arguments: [100, 6000])
    func eachIsToldOnceWhileUsersCallAndAreDeleted(count: Int) async throws {
        try await KeyGateway.run { gateway in
            let index = RedisUserIndex(client: gateway.otherClient)
            let users = try Self.users(count)
            try await index.add(users, at: KeyGateway.time)
            var (stay, told, page) = (Set(users), [UserID](), 0)
            var random = SystemRandomNumberGenerator()
            try await RedisUsageExport(client: gateway.client).month(of: Self.today) { months in
                told += months.map(\.userID)
                page += 1
                let time = KeyGateway.time.adding(seconds: Int64(page) * 7200)
                // Of those told and of those who are yet to be.
                try await index.add(stay.filter { _ in Bool.random(using: &random) }, at: time)
                try await index.add([try #require(UserID("new_\(page)"))], at: time)
                let gone = stay.filter { _ in Int.random(in: 0..<10, using: &random) < (page % 3 == 0 ? 9 : 1) }
                for user in gone { try await index.remove(user) }
                stay.subtract(gone)
            }
            #expect(Set(told).count == told.count, "none twice")
            #expect(stay.subtracting(told).isEmpty, "none left out")
            #expect(!stay.isEmpty && (count == 100 ? page == 1 : page > 3), "\(page) pages")
        }
    }
}
