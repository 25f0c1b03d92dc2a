import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// The days of a user: what admission books, and what is given back of it.
@Suite struct UsageHistoryTests {
    private static let time = KeyGateway.time
    private static let today = CalendarDay(year: 2025, month: 11, day: 26)

    private static func request(
        _ gateway: KeyGateway, _ route: String, cost: Int = 1, after seconds: Int64 = 0,
        reservation: String? = nil, key: String? = nil
    ) throws -> AdmissionRequest {
        AdmissionRequest(
            principal: Principal(userID: gateway.user, claimedPlan: "paid"), time: time.adding(seconds: seconds),
            cost: cost, route: route,
            idempotentCall: try key.map { try #require(IdempotentCall(key: $0, fingerprint: "f")) },
            reservation: try reservation.map { try #require(Reservation.Request(id: $0, leaseSeconds: 30)) })
    }

    private func days(_ count: Int, _ gateway: KeyGateway, until last: CalendarDay = today) async throws -> [UsageDay] {
        try await RedisUsageHistory(client: gateway.client).days(count, until: last, of: gateway.user)
    }

    @Test func callsAreBookedByDayAndRoute() async throws {
        try await KeyGateway.run { gateway in
            for (route, cost, seconds) in [
                ("search", 1, 0), ("search", 2, 1), ("reports", 1, 2), ("free", 0, 3), ("search", 1, 3600),
            ] as [(String, Int, Int64)] {
                _ = try await gateway.admissions.admit(
                    Self.request(gateway, route, cost: cost, after: seconds))
            }
            let tomorrow = CalendarDay(year: 2025, month: 11, day: 27)
            let found = try await days(3, gateway, until: tomorrow)
            #expect(
                found == [
                    UsageDay(day: CalendarDay(year: 2025, month: 11, day: 25), calls: [:]),
                    UsageDay(day: Self.today, calls: ["search": 3, "reports": 1]),
                    UsageDay(day: tomorrow, calls: ["search": 1]),
                ])
            #expect(try await gateway.count() == 5, "the days add up to the record")
            let life = try await gateway.client.send("TTL usage:{user_abc}:2025-11-26").integer ?? 0
            #expect(life > 31 * 86_400 && life <= 32 * 86_400)
        }
    }

    @Test func refusedCallsAreNotBooked() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 1, ratePerMinute: 2)])
        try await KeyGateway.run(plans: plans) { gateway in
            for _ in 0..<4 { _ = try await gateway.admissions.admit(Self.request(gateway, "search")) }
            _ = try await gateway.admissions.peek(Self.request(gateway, "search", after: 60))
            #expect(try await days(1, gateway) == [UsageDay(day: Self.today, calls: ["search": 1])])
        }
    }

    @Test func callsThatAreGivenBackLeaveTheirDay() async throws {
        try await KeyGateway.run { gateway in
            let store = gateway.admissions
            let back = try await store.admit(Self.request(gateway, "search", cost: 2, reservation: "r1"))
            let kept = try await store.admit(Self.request(gateway, "search", reservation: "r2"))
            // Neither of the two is settled.
            _ = try await store.admit(Self.request(gateway, "reports", reservation: "r3"))
            _ = try await store.admit(Self.request(gateway, "reports", reservation: "r4", key: "k"))
            #expect(try await days(1, gateway)[0].calls == ["search": 3, "reports": 2])
            #expect(try await store.settle(#require(back.reservation), as: .giveBack))
            #expect(try await store.settle(#require(kept.reservation), as: .keep))
            #expect(try await days(1, gateway)[0].calls == ["search": 1, "reports": 2])
            _ = try await store.admit(Self.request(gateway, "other", after: 31))
            #expect(try await days(1, gateway)[0].calls == ["search": 1, "other": 1])
            #expect(try await gateway.count() == 2)
        }
    }

    @Test func repeatsAreBookedOnce() async throws {
        try await KeyGateway.run { gateway in
            let store = gateway.admissions
            let first = try await store.admit(Self.request(gateway, "search", reservation: "r1", key: "k"))
            #expect(try await days(1, gateway)[0].calls == ["search": 1])
            #expect(try await store.settle(#require(first.reservation), as: .giveBack))
            #expect(try await days(1, gateway)[0].calls.isEmpty)
            let second = try await store.admit(Self.request(gateway, "search", reservation: "r2", key: "k"))
            #expect(try await days(1, gateway)[0].calls == ["search": 1])
            #expect(try await store.settle(#require(second.reservation), as: .keep))
            #expect(try await days(1, gateway)[0].calls == ["search": 1])
        }
    }

    /// A person may have been at it, and what is no count is none.
    @Test func damagedDaysDoNoHarm() async throws {
        try await KeyGateway.run { gateway in
            try await gateway.client.send("HSET usage:{user_abc}:2025-11-26 search x reports -3 other 2")
            #expect(try await days(1, gateway)[0].calls == ["other": 2])
            #expect(try await days(0, gateway).count == 1)
            #expect(try await days(1000, gateway).count == UsageDay.keptDays)
        }
    }

    /// Redis serves no other call while it reads: a user of many routes is read in several steps.
    @Test func muchIsReadInSteps() async throws {
        try await KeyGateway.run { gateway in
            let routes = [300, 300, 10, 4096, 1]
            for (age, count) in routes.reversed().enumerated() {
                let day = CalendarDay(containing: Self.today.startOfDay.adding(seconds: -86_400 * Int64(age)))
                let fields = (1...count).map { "r\($0) \($0)" }.joined(separator: " ")
                try await gateway.client.send("HSET usage:{user_abc}:\(day) \(fields)")
            }
            let found = try await days(routes.count, gateway)
            #expect(found.map(\.calls.count) == routes)
            for day in found {
                #expect(day.calls == Dictionary(uniqueKeysWithValues: (1...day.calls.count).map { ("r\($0)", $0) }))
            }
        }
    }

    @Test(
        arguments: [
            ([], []), ([0, 0, 0], [0..<3]), ([300, 300, 10, 4096, 1], [0..<3, 3..<4, 4..<5]),
            ([4096, 4096], [0..<1, 1..<2]),
            ([1024, 0, 1], [0..<2, 2..<3]), (Array(repeating: 100, count: 30), [0..<10, 10..<20, 20..<30]),
        ] as [([Int], [Range<Int>])])
    func asManyDaysAreReadAtATimeAsHaveFewFields(sizes: [Int], parts: [Range<Int>]) {
        #expect(RedisUsageHistory.parts(ofSizes: sizes) == parts)
    }
}
