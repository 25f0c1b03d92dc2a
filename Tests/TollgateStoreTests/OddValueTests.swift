import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateStore

/// A person or a program may have written anything into Redis. What is no count and no period is taken for another, which
/// is told, and is right again with the next charge; it neither lets a user in for ever nor keeps one out. What is
/// refused changes nothing. The time is 2025-11-26T23:00:00Z, the plan 5 calls a month.
@Suite(.timeLimit(.minutes(6))) struct OddValueTests {
    private static let noNumbers = [
        "nan", "-nan", "inf", "-inf", "1e300", "-1e300", "1.5", "", " ", "many", "9223372036854775807",
        "-9223372036854775808",
    ]

    private static let noPeriods = [
        "", "zzzz", "2025", "2025-11", "20251101", "2025/11/01", "2025-11-1", "2025-11-01T00:00:00",
        "2025-11-31T00:00:00Z", "2025-11-01 ",
        "2025-13-01", "2025-02-29", "2025-11-00", "2025-11-31", "9999-99-99",
    ]

    // MARK: The month's count

    @Test func countsThatAreNoneCountAsNothing() async throws {
        try await KeyGateway.run { gateway in
            for count in Self.noNumbers {
                try await gateway.writeUsage(["usageCount": count])
                let first = try await gateway.admit()
                #expect(first.outcome == .admitted && first.usage.count == 1, "'\(count)'")
                #expect(first.oddities == .count && first.oddities.names == ["usageCount"], "'\(count)'")
                #expect(try await gateway.hash("usage:{user_abc}")["usageCount"] == "1", "'\(count)'")
                let second = try await gateway.admit()
                #expect(second.oddities.isEmpty && second.usage.count == 2, "'\(count)': it was repaired")
            }
        }
    }

    @Test(arguments: [-1, -3, -40]) func aCreditComesOnTopOfTheQuota(credit: Int) async throws {
        try await KeyGateway.run { gateway in
            try await gateway.writeUsage(["usageCount": "\(credit)"])
            var admitted = 0
            while true {
                let decision = try await gateway.admit()
                #expect(decision.oddities.isEmpty)
                guard decision.outcome == .admitted else {
                    #expect(decision.outcome == .quotaExceeded)
                    break
                }
                admitted += 1
                #expect(decision.usage.count == credit + admitted)
                #expect(decision.usage.remaining == 5 - credit - admitted)
            }
            #expect(admitted == 5 - credit)
        }
    }

    /// The next admission takes such a period for the present one with its count, and so does a call that goes back.
    @Test(arguments: ["garbage", "", "2026-02-01"]) func whatFailsIsGivenBackWhateverThePeriodIs(start: String)
        async throws
    {
        try await KeyGateway.run { gateway in
            try await gateway.writeUsage(["periodStart": start])
            if start == "2026-02-01" { _ = try await gateway.admit(cost: 0) }
            let admitted = try await gateway.admit(reservation: "r1")
            #expect(admitted.usage.count == 4)
            if start != "2026-02-01" { try await gateway.send("HSET", "usage:{user_abc}", "periodStart", start) }
            #expect(try await gateway.admissions.settle(#require(admitted.reservation), as: .giveBack))
            #expect(try await gateway.hash("usage:{user_abc}")["usageCount"] == "3", "'\(start)'")
        }
    }

    /// Calls of a month that a wrong clock has begun are counted in the right one, and go back from there.
    @Test func whatWasChargedInAPeriodThatLiesAheadIsGivenBack() async throws {
        try await KeyGateway.run { gateway in
            let ahead = try await gateway.admit(after: 5 * 86_400, reservation: "r1")
            #expect(ahead.usage.period.firstDay.description == "2025-12-01")
            #expect(try await gateway.admit().usage.count == 2)
            #expect(try await gateway.admissions.settle(#require(ahead.reservation), as: .giveBack))
            #expect(try await gateway.hash("usage:{user_abc}")["usageCount"] == "1")
            let december = try await gateway.admit(after: 5 * 86_400)
            #expect(december.usage.count == 1)
            #expect(try await gateway.hash("usage:{user_abc}")["takenOverPeriodStart"] == nil)
        }
    }

    @Test func theLargestCreditIsNoTrap() async throws {
        try await KeyGateway.run { gateway in
            try await gateway.writeUsage(["usageCount": "-9007199254740992"])
            let decision = try await gateway.admit()
            #expect(decision.outcome == .admitted && decision.usage.count == -9_007_199_254_740_991)
            #expect(decision.oddities.isEmpty && decision.usage.remaining > 5)
        }
    }

    @Test func callsOfACreditGoBackToIt() async throws {
        try await KeyGateway.run { gateway in
            func count() async throws -> String? { try await gateway.hash("usage:{user_abc}")["usageCount"] }
            try await gateway.writeUsage(["usageCount": "-3"])
            let back = try #require(try await gateway.admit(reservation: "r1").reservation)
            #expect(try await count() == "-2")
            #expect(try await gateway.admissions.settle(back, as: .giveBack))
            #expect(try await count() == "-3")
            let kept = try #require(try await gateway.admit(reservation: "r2").reservation)
            #expect(try await gateway.admissions.settle(kept, as: .keep))
            #expect(try await count() == "-2")
            // A credit that is given while a call is in progress, and a lease that runs out.
            _ = try await gateway.admit(reservation: "r3")
            try await gateway.client.send("HINCRBY usage:{user_abc} usageCount -100")
            #expect(try await gateway.admit(after: 31).usage.count == -101, "one back, one more")
        }
    }

    /// There is nothing in them to be corrected: a call that is taken from what is no number would be a credit.
    @Test func whatIsNoNumberIsNotGivenBackTo() async throws {
        try await KeyGateway.run { gateway in
            try await gateway.writeUsage()
            let first = try #require(try await gateway.admit(reservation: "r1").reservation)
            try await gateway.client.send("HSET usage:{user_abc} usageCount many")
            try await gateway.client.send("HSET \(KeyGateway.tenDays) 26/search many")
            #expect(try await gateway.admissions.settle(first, as: .giveBack))
            #expect(try await gateway.hash("usage:{user_abc}")["usageCount"] == "many")
            #expect(try await gateway.hash(KeyGateway.tenDays) == ["26/search": "many"])
            let second = try await gateway.admit(reservation: "r2")
            #expect(second.usage.count == 1 && second.oddities == [.count, .day])
            #expect(second.oddities.names == ["usageCount", "day"])

            let reserved = try #require(second.reservation)
            #expect(try await gateway.admissions.renew(reserved, until: KeyGateway.time.adding(seconds: 9 * 86_400)))
            _ = try await gateway.admit(after: 6 * 86_400)
            try await gateway.client.send("HSET usage:{user_abc} previousUsageCount many")
            #expect(try await gateway.admissions.settle(reserved, as: .giveBack))
            #expect(try await gateway.hash("usage:{user_abc}")["previousUsageCount"] == "many")
        }
    }

    // MARK: The period

    @Test func periodsThatAreNoneAreThePresentOne() async throws {
        try await KeyGateway.run { gateway in
            for start in Self.noPeriods { try await Self.expectThePresentPeriod(insteadOf: start, gateway) }
        }
    }

    @Test func periodsThatLieAheadAreThePresentOne() async throws {
        try await KeyGateway.run { gateway in
            for start in ["2025-11-27", "2025-11-30", "2025-12-01", "2036-03-01", "9999-01-01", "9999-12-31"] {
                try await Self.expectThePresentPeriod(insteadOf: start, gateway)
            }
        }
    }

    private static func expectThePresentPeriod(insteadOf start: String, _ gateway: KeyGateway) async throws {
        try await gateway.writeUsage(["periodStart": start, "periodEnd": start])
        let first = try await gateway.admit()
        #expect(first.outcome == .admitted && first.usage.count == 4, "'\(start)': its count is kept")
        #expect(first.oddities == .period && first.oddities.names == ["periodStart"], "'\(start)'")
        #expect(first.usage.period.firstDay.description == "2025-11-01", "'\(start)'")
        let record = try await gateway.hash("usage:{user_abc}")
        #expect(record["periodStart"] == "2025-11-01" && record["periodEnd"] == "2025-11-30", "'\(start)'")
        #expect(record["usageCount"] == "4" && record["previousPeriodStart"] == nil, "'\(start)'")
        let second = try await gateway.admit()
        #expect(second.oddities.isEmpty && second.usage.count == 5, "'\(start)': it was repaired")
        let third = try await gateway.admit()
        #expect(third.outcome == .quotaExceeded, "'\(start)': no second quota")
    }

    @Test(arguments: ["2025-11-02", "2025-11-15", "2025-11-26"])
    func aPeriodMayBeginInTheMiddleOfTheMonth(start: String) async throws {
        try await KeyGateway.run { gateway in
            try await gateway.writeUsage(["periodStart": start])
            let reserved = try await gateway.admit(reservation: "r1")
            #expect(reserved.usage.count == 4 && reserved.oddities.isEmpty)
            #expect(reserved.usage.period.firstDay.description == "2025-11-01")
            #expect(try await gateway.admissions.settle(#require(reserved.reservation), as: .giveBack))
            var record = try await gateway.hash("usage:{user_abc}")
            #expect(record["periodStart"] == start && record["usageCount"] == "3")

            let late = try #require(try await gateway.admit(reservation: "r2").reservation)
            #expect(try await gateway.admissions.renew(late, until: KeyGateway.time.adding(seconds: 30 * 86_400)))
            let next = try await gateway.admit(after: 6 * 86_400)
            #expect(next.usage.count == 1 && next.oddities.isEmpty)
            #expect(try await gateway.admissions.settle(late, as: .giveBack))
            record = try await gateway.hash("usage:{user_abc}")
            #expect(record["previousPeriodStart"] == start && record["previousUsageCount"] == "3")
        }
    }

    @Test(arguments: ["2025-10-01", "2024-02-29", "0000-01-01"])
    func aPeriodThatIsOverIsFollowedByThePresentOne(start: String) async throws {
        try await KeyGateway.run { gateway in
            try await gateway.writeUsage(["periodStart": start, "usageCount": "5"])
            let decision = try await gateway.admit()
            #expect(decision.outcome == .admitted && decision.usage.count == 1 && decision.oddities.isEmpty)
            let record = try await gateway.hash("usage:{user_abc}")
            #expect(record["periodStart"] == "2025-11-01" && record["periodEnd"] == "2025-11-30")
            #expect(record["previousPeriodStart"] == start && record["previousUsageCount"] == "5")
        }
    }

    /// Redis' clock may be set, and a failover may lead to a Redis with another.
    @Test func eachMonthHasItsOwnCountHoweverOftenItIsReturnedTo() async throws {
        try await KeyGateway.run { gateway in
            let (november, december, january): (Int64, Int64, Int64) = (0, 6 * 86_400, 40 * 86_400)
            let steps: [(month: Int64, count: Int, day: String)] = [
                (november, 1, "2025-11-01"), (november, 2, "2025-11-01"), (december, 1, "2025-12-01"),
                (november, 3, "2025-11-01"), (december, 2, "2025-12-01"), (december, 3, "2025-12-01"),
                (november, 4, "2025-11-01"), (november, 5, "2025-11-01"), (december, 4, "2025-12-01"),
            ]
            for (step, expected) in steps.enumerated() {
                let decision = try await gateway.admit(after: expected.month)
                #expect(decision.outcome == .admitted && decision.oddities.isEmpty, "step \(step)")
                #expect(decision.usage.count == expected.count, "step \(step)")
                #expect(decision.usage.period.firstDay.description == expected.day, "step \(step)")
            }
            let usedUp = try await gateway.changes {
                let decision = try await gateway.admit(after: november)
                #expect(decision.outcome == .quotaExceeded)
            }
            #expect(usedUp == [KeyGateway.tenDays], "a look at the other month does not change to it: \(usedUp)")
            #expect(try await gateway.admit(after: january).usage.count == 1)
            let record = try await gateway.hash("usage:{user_abc}")
            #expect(record["previousPeriodStart"] == "2025-12-01" && record["previousUsageCount"] == "4")

            try await gateway.client.send("HSET usage:{user_abc} previousUsageCount many")
            #expect(try await gateway.admit(after: december).usage.count == 1, "what is no count is none")
            try await gateway.client.send("HSET usage:{user_abc} previousPeriodStart soon")
            #expect(try await gateway.admit(after: january).usage.count == 1, "what is no month is none")
        }
    }

    @Test func callsGoBackToTheMonthThatTheyWereChargedIn() async throws {
        try await KeyGateway.run { gateway in
            let december: Int64 = 6 * 86_400
            _ = try await gateway.admit()
            let reserved = try #require(try await gateway.admit(reservation: "r1").reservation)
            #expect(try await gateway.admissions.renew(reserved, until: KeyGateway.time.adding(seconds: 2 * december)))
            #expect(try await gateway.admit(after: december).usage.count == 1)
            #expect(try await gateway.admissions.settle(reserved, as: .giveBack))
            let record = try await gateway.hash("usage:{user_abc}")
            #expect(record["usageCount"] == "1" && record["previousUsageCount"] == "1")
            #expect(try await gateway.hash(KeyGateway.tenDays) == ["26/search": "1"])
            #expect(try await gateway.admit().usage.count == 2, "back in November")
        }
    }

    // MARK: Minutes and days

    @Test func minutesThatAreNoneBeginAnew() async throws {
        try await KeyGateway.run { gateway in
            for number in Self.noNumbers + ["9007199254740994", "-9007199254740994", "5.0", "0x10", "1e1"] {
                try await gateway.writeUsage(["usageCount": "0"])
                try await gateway.send("SET", KeyGateway.minute, number)
                let first = try await gateway.admit()
                #expect(first.outcome == .admitted && first.rate.count == 1, "'\(number)'")
                #expect(first.oddities == .minute && first.oddities.names == ["minute"], "'\(number)'")
                #expect(try await gateway.client.send("GET \(KeyGateway.minute)").string == "1", "'\(number)'")
                let life = try await gateway.client.send("TTL \(KeyGateway.minute)").integer ?? -1
                #expect((1...120).contains(life), "'\(number)'")
                let second = try await gateway.admit()
                #expect(second.oddities.isEmpty && second.rate.count == 2, "'\(number)': it was repaired")
            }
            for full in ["100", "1e2", "9007199254740992"] {
                try await gateway.writeUsage(["usageCount": "0"])
                try await gateway.send("SET", KeyGateway.minute, full)
                let changes = try await gateway.changes {
                    let decision = try await gateway.admit()
                    #expect(decision.outcome == .rateLimited, "'\(full)'")
                }
                #expect(changes == [KeyGateway.tenDays], "'\(full)': \(changes)")
            }
        }
    }

    @Test func aRoutesMinutesThatAreNoneBeginAnew() async throws {
        try await KeyGateway.run { gateway in
            let (limit, key) = (try #require(RouteLimit(route: "search", ratePerMinute: 2)), "search:29403300")
            for number in Self.noNumbers + ["9007199254740994", "1.0", "0x1"] {
                try await gateway.writeUsage(["usageCount": "0"])
                try await gateway.send("SET", "ratelimit:{user_abc}:\(key)", number)
                let first = try await gateway.admit(limit: limit)
                #expect(first.outcome == .admitted && first.routeRate?.count == 1, "'\(number)'")
                #expect(first.oddities == .routeMinute && first.oddities.names == ["route-minute"], "'\(number)'")
                let life = try await gateway.client.send("TTL ratelimit:{user_abc}:\(key)").integer ?? -1
                #expect((1...120).contains(life), "'\(number)'")
                let second = try await gateway.admit(limit: limit)
                #expect(second.oddities.isEmpty && second.routeRate?.count == 2, "'\(number)': it was repaired")
                #expect(try await gateway.admit(limit: limit).outcome == .rateLimited, "'\(number)'")
            }
        }
    }

    @Test func daysThatAreNoneBeginAnew() async throws {
        try await KeyGateway.run { gateway in
            for number in Self.noNumbers.dropLast() + ["5.0", "0x10"] {
                try await gateway.writeUsage(["usageCount": "0"])
                try await gateway.send("HSET", KeyGateway.tenDays, "26/search", number, "26/reports", "x")
                let first = try await gateway.admit()
                #expect(first.outcome == .admitted && first.usage.count == 1, "'\(number)'")
                #expect(first.oddities == .day && first.oddities.names == ["day"], "'\(number)'")
                #expect(
                    try await gateway.hash(KeyGateway.tenDays) == ["26/search": "1", "26/reports": "x"], "'\(number)'")
                #expect(try await gateway.admit().oddities.isEmpty, "'\(number)': it was repaired")
                #expect(try await gateway.hash(KeyGateway.tenDays)["26/search"] == "2", "'\(number)'")
            }
        }
    }
}
