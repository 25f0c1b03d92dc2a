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
            let life = try await gateway.client.send("TTL usage:{user_abc}:2025-11-2").integer ?? 0
            #expect(life > 400 * 86_400 && life <= 401 * 86_400)
        }
    }

    @Test func refusedCallsAreNotBooked() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 1, ratePerMinute: 2)])
        try await KeyGateway.run(plans: plans) { gateway in
            for _ in 0..<4 { _ = try await gateway.admissions.admit(Self.request(gateway, "search")) }
            _ = try await gateway.admissions.peek(Self.request(gateway, "search", after: 60))
            let found = try await days(1, gateway)[0]
            #expect(found.calls == ["search": 1])
            #expect(found.refusals == [.quotaExceeded: 3], "and a look is no call")
        }
    }

    @Test func refusalsAreCountedByDay() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 3, ratePerMinute: 2)])
        try await KeyGateway.run(plans: plans) { gateway in
            for seconds in [0, 0, 0, 0, 60, 60, 3600, 3600] as [Int64] {
                _ = try await gateway.admissions.admit(Self.request(gateway, "search", after: seconds))
            }
            let found = try await days(2, gateway, until: CalendarDay(year: 2025, month: 11, day: 27))
            #expect(found[0].calls == ["search": 3])
            #expect(found[0].refusals == [.rateLimited: 2, .quotaExceeded: 1])
            #expect(found[1].calls.isEmpty && found[1].refusals == [.quotaExceeded: 2])
            let life = try await gateway.client.send("TTL \(KeyGateway.tenDays)").integer ?? 0
            #expect(life > 400 * 86_400 && life <= 401 * 86_400)
        }
    }

    /// A block, and what a key may not do, is 403 as well.
    @Test func blocksAndWhatAKeyMayNotDoAreCounted() async throws {
        try await KeyGateway.run { gateway in
            let key = try await gateway.makeKey(scopes: ["search"], allowedIPs: ["192.0.2.0/24"]).key
            func call(_ scope: String, from address: String) async throws -> AdmissionDecision.Outcome {
                try await gateway.call(key, requiring: [scope], from: address).outcome
            }
            #expect(try await call("reports", from: "192.0.2.1") == .keyRefused(.scopeMissing))
            #expect(try await gateway.client.send("EXISTS \(KeyGateway.tenDays)").integer == 0, "never admitted")
            #expect(try await call("search", from: "192.0.2.1") == .admitted)
            for _ in 0..<2 { #expect(try await call("reports", from: "192.0.2.1") == .keyRefused(.scopeMissing)) }
            #expect(try await call("search", from: "198.51.100.1") == .keyRefused(.addressNotAllowed))
            let reason = try #require(OperatorReason("abuse"))
            _ = try await RedisOperatorStore(client: gateway.client).change(gateway.user) {
                $0.block = OperatorTerms.Block(reason: reason, since: Self.time)
            }
            for _ in 0..<3 { #expect(try await call("search", from: "192.0.2.1") == .userBlocked) }
            let found = try await days(1, gateway)[0]
            #expect(found.refusals == [.scopeMissing: 2, .addressNotAllowed: 1, .userBlocked: 3])
            let life = try await gateway.client.send("TTL \(KeyGateway.tenDays)").integer ?? 0
            #expect(life > 400 * 86_400 && life <= 401 * 86_400)
        }
    }

    /// A month has four hashes, and what lies beyond a month's end is in the next's.
    @Test func eachTenDaysHaveAHashOfTheirOwn() async throws {
        try await KeyGateway.run { gateway in
            for days in [-17, -16, -6, 0, 3, 4, 5] as [Int64] {
                _ = try await gateway.admissions.admit(Self.request(gateway, "search", after: days * 86_400))
            }
            for (name, fields) in [
                ("2025-11-0", ["09/search"]), ("2025-11-1", ["10/search"]),
                ("2025-11-2", ["20/search", "26/search", "29/search"]), ("2025-11-3", ["30/search"]),
                ("2025-12-0", ["01/search"]),
            ] {
                let found = try await gateway.hash("usage:{user_abc}:\(name)")
                #expect(found.keys.sorted() == fields, "\(name)")
                let life = try await gateway.client.send("TTL usage:{user_abc}:\(name)").integer ?? 0
                #expect(life > 400 * 86_400 && life <= 401 * 86_400, "\(name)")
            }
            let found = try await days(30, gateway, until: CalendarDay(year: 2025, month: 12, day: 1))
            #expect(found.filter { !$0.calls.isEmpty }.map(\.day.day) == [9, 10, 20, 26, 29, 30, 1])
        }
    }

    /// What is given back on another day is taken from its own.
    @Test func callsAreGivenBackToTheirDay() async throws {
        try await KeyGateway.run { gateway in
            let store = gateway.admissions
            let evening = Int64(3595)
            let call = try await store.admit(
                Self.request(gateway, "search", cost: 2, after: evening, reservation: "r1"))
            _ = try await store.admit(Self.request(gateway, "search", after: evening + 10))
            #expect(try await store.settle(#require(call.reservation), as: .giveBack))
            let found = try await days(2, gateway, until: Self.today.days(before: -1))
            #expect(found.map(\.calls) == [[:], ["search": 1]])
        }
    }

    /// As in a month of a subscription's period whose calls were used up in the month before.
    @Test func refusalsAloneMakeAHistoryThatEnds() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 1, ratePerMinute: 2)])
        try await KeyGateway.run(plans: plans) { gateway in
            _ = try await gateway.admissions.admit(Self.request(gateway, "search"))
            try await gateway.client.send("DEL \(KeyGateway.tenDays)")
            _ = try await gateway.admissions.admit(Self.request(gateway, "search"))
            #expect(try await gateway.hash(KeyGateway.tenDays) == ["26!quota-exceeded": "1"])
            let life = try await gateway.client.send("TTL \(KeyGateway.tenDays)").integer ?? 0
            #expect(life > 400 * 86_400 && life <= 401 * 86_400)
        }
    }

    @Test func whoWasNeverAdmittedMakesNoKeysByBeingRefused() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 0, ratePerMinute: 2)])
        try await KeyGateway.run(plans: plans) { gateway in
            let changes = try await gateway.changes {
                for _ in 0..<3 {
                    let decision = try await gateway.admissions.admit(Self.request(gateway, "search"))
                    #expect(decision.outcome == .quotaExceeded)
                }
            }
            #expect(changes.isEmpty, "\(changes)")
        }
    }

    /// Where they cannot be counted, they are refused all the same.
    @Test(arguments: ["SET \(KeyGateway.tenDays) text", "HSET \(KeyGateway.tenDays) 26!quota-exceeded many"])
    func refusalsDoNotHangOnTheHistory(damage: String) async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 1, ratePerMinute: 2)])
        try await KeyGateway.run(plans: plans) { gateway in
            _ = try await gateway.admissions.admit(Self.request(gateway, "search"))
            if damage.hasPrefix("SET") { try await gateway.client.send("DEL \(KeyGateway.tenDays)") }
            try await gateway.client.send(damage)
            let changes = try await gateway.changes {
                let decision = try await gateway.admissions.admit(Self.request(gateway, "search"))
                #expect(decision.outcome == .quotaExceeded)
            }
            #expect(changes.isEmpty, "\(changes)")
        }
    }

    /// What history costs: an admitted call takes the commands that it took without.
    @Test func historyCostsNoCommand() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 3, ratePerMinute: 100)])
        try await KeyGateway.run(plans: plans) { gateway in
            for _ in 0..<2 { _ = try await gateway.admissions.admit(Self.request(gateway, "search")) }
            try await gateway.client.send("CONFIG RESETSTAT")
            _ = try await gateway.admissions.admit(Self.request(gateway, "search"))
            for (command, calls) in [("evalsha", 1), ("hincrby", 1), ("incr", 1), ("hset", 1), ("expire", 0)]
                as [(String, Int64)]
            {
                #expect(try await gateway.client.calls(of: command) == calls, "\(command)")
            }
            for _ in 0..<2 {
                try await gateway.client.send("CONFIG RESETSTAT")
                _ = try await gateway.admissions.admit(Self.request(gateway, "search"))
            }
            #expect(try await gateway.client.calls(of: "evalsha") == 1)
            #expect(try await gateway.client.calls(of: "hincrby") == 1, "of a refusal one command more")
            #expect(try await gateway.client.calls(of: "expire") == 0)
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
            try await gateway.client.send(
                "HSET \(KeyGateway.tenDays) 26/search x 26/reports -3 26/other 2 26!something 4 27/search 5 31/search 5 00/search 5 +1/search 5 26?a 1 26/ 1 search 1 x/a 1 26 1 6 1 / 1"
            )
            try await gateway.client.send("HSET usage:{user_abc}:2025-11-26 search x reports -3 other 2")
            let found = try await days(1, gateway)[0]
            #expect(found.calls == ["other": 4] && found.refusals.isEmpty)
            #expect(try await days(0, gateway).count == 1)
            #expect(try await days(1000, gateway).count == UsageDay.keptDays)
        }
    }

    /// Redis serves no other call while it reads: a user of many routes is read in several steps.
    @Test func muchIsReadInSteps() async throws {
        try await KeyGateway.run { gateway in
            let routes = [300, 300, 10, 4096, 1]
            for (age, count) in routes.reversed().enumerated() {
                let day = "\(Self.today.days(before: 31 * age))"
                let fields = (1...count).map { "\(day.suffix(2))/r\($0) \($0)" }.joined(separator: " ")
                try await gateway.client.send("HSET usage:{user_abc}:\(day.dropLast()) \(fields)")
            }
            let found = try await days(31 * routes.count, gateway).filter { !$0.calls.isEmpty }
            #expect(found.map(\.calls.count) == routes)
            for day in found {
                #expect(day.calls == Dictionary(uniqueKeysWithValues: (1...day.calls.count).map { ("r\($0)", $0) }))
            }
        }
    }

    /// What the release before has written is told until it ends.
    @Test func formerDaysAreReadAsWell() async throws {
        try await KeyGateway.run { gateway in
            try await gateway.client.send("HSET usage:{user_abc}:2025-11-26 search 3 billing 1")
            try await gateway.client.send("HSET usage:{user_abc}:2025-11-19 search 2")
            _ = try await gateway.admissions.admit(Self.request(gateway, "search"))
            let found = try await days(8, gateway)
            #expect(found.first?.calls == ["search": 2] && found.last?.calls == ["search": 4, "billing": 1])
        }
    }

    /// Also while its table grows and is searched in steps.
    @Test func daysOfVeryManyRoutesAreReadInSteps() async throws {
        try await KeyGateway.run { gateway in
            for day in 10...19 {
                let fields = (1...1000).map { "\(day)/r\($0) \($0)" }.joined(separator: " ")
                try await gateway.client.send("HSET usage:{user_abc}:2025-11-1 \(fields)")
            }
            try await gateway.client.send("CONFIG RESETSTAT")
            let found = try await days(30, gateway)
            let calls = Dictionary(uniqueKeysWithValues: (1...1000).map { ("r\($0)", $0) })
            #expect(found.filter { !$0.calls.isEmpty }.map(\.day.day) == Array(10...19))
            #expect(found.allSatisfy { $0.calls.isEmpty || $0.calls == calls })
            #expect(try await gateway.client.calls(of: "hscan") >= 9)
            #expect(try await gateway.client.calls(of: "hgetall") == 0)
        }
    }
}
