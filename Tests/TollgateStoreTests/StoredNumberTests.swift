import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

/// What Redis says may have been written by any client: no number of it ends a worker.
@Suite struct StoredNumberTests {
    /// 2025-11-26T23:00:00Z
    private static let time = UnixTime(seconds: 1_764_198_000)

    private static let numbers = [
        "nan", "-nan", "inf", "-inf", "1e300", "-1e300", "-9223372036854775808", "9223372036854775807",
        "9007199254740992", "9007199254740991", "-1", "0x10", "", "many",
    ]

    private func withClient(_ body: (RedisClient, UserID) async throws -> Void) async throws {
        let user = try #require(UserID("user_abc"))
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in try await body(client, user) }
        }
    }

    /// What is no whole number counts as 0. A number below 0 is a credit.
    @Test func countsThatAreNoneNeitherTrapNorAdmitForEver() async throws {
        try await withClient { client, user in
            let store = RedisAdmissionStore(client: client, plans: .standard)
            for number in Self.numbers {
                let isCredit = number == "-1"
                try await client.send("DEL usage:{user_abc}")
                _ = try await client.execute(
                    RedisCommand(
                        "HSET", "usage:{user_abc}", "usageCount", number, "plan", "free", "periodStart", "2025-11-01",
                        "periodEnd", "2025-11-30"))
                var admitted = 0
                for _ in 1...7 {
                    let decision = try await store.admit(
                        AdmissionRequest(principal: Principal(userID: user), time: Self.time))
                    #expect(UsageSnapshot.countRange.contains(decision.usage.count), "\(number)")
                    #expect((0...(isCredit ? 6 : 5)).contains(decision.usage.remaining), "\(number)")
                    if decision.outcome == .admitted { admitted += 1 }
                }
                #expect(admitted <= (isCredit ? 6 : 5), "\(number)")
            }
        }
    }

    @Test func minutesThatAreNoneAreNoTrap() async throws {
        try await withClient { client, user in
            let store = RedisAdmissionStore(client: client, plans: .standard)
            for number in Self.numbers {
                _ = try await client.execute(RedisCommand("SET", "ratelimit:{user_abc}:29403300", number))
                let decision = try? await store.admit(
                    AdmissionRequest(principal: Principal(userID: user), time: Self.time))
                if let decision { #expect(UsageSnapshot.countRange.contains(decision.rate.count), "\(number)") }
            }
        }
    }

    @Test(arguments: ["9999-99-99", "99999999999999999", "2025-13-45", "zzzz", "9999-12-01"])
    func periodsThatAreNoneAreNoTrap(start: String) async throws {
        try await withClient { client, user in
            let store = RedisAdmissionStore(client: client, plans: .standard)
            _ = try await client.execute(
                RedisCommand("HSET", "usage:{user_abc}", "usageCount", "1", "periodStart", start, "periodEnd", start))
            let decision = try? await store.admit(
                AdmissionRequest(principal: Principal(userID: user), time: Self.time))
            #expect((decision?.usage.secondsUntilReset(at: Self.time) ?? 1) >= 1)
            #expect((decision?.usage.period.lastDay.day ?? 31) >= 28)
        }
    }

    /// A token's claims reach the script as moments that can be compared as strings.
    @Test(arguments: [Int64.min, -62_167_219_200, 253_402_300_799, .max])
    func tokensOfAnyTimeAreAdmitted(issuedAt: Int64) async throws {
        try await withClient { client, user in
            let principal = Principal(userID: user, claimedPlan: "paid", issuedAt: UnixTime(seconds: issuedAt))
            let decision = try await RedisAdmissionStore(client: client, plans: .standard).admit(
                AdmissionRequest(principal: principal, time: Self.time))
            #expect(decision.outcome == .admitted)
        }
    }

    @Test func historyAndOthersReportsAreNoTrap() async throws {
        try await withClient { client, user in
            for day in 1...26 {
                let (key, digits) = ("usage:{user_abc}:2025-11-\(day / 10)", (day < 10 ? "0\(day)" : "\(day)"))
                _ = try await client.execute(
                    RedisCommand("HSET", key, "\(digits)/orders", "9223372036854775807", "\(digits)/other", "nan"))
            }
            let days = try await RedisUsageHistory(client: client).days(
                31, until: CalendarDay(containing: Self.time), of: user)
            #expect(days.reduce(0) { $0 + ($1.calls["orders"] ?? 0) } > 0)

            let id = "9223372036854775807"
            for worker in ["a", "b"] {
                try await client.send("ZADD workers \(Self.time.seconds) \(worker)")
                try await client.send(
                    "HSET worker:{\(worker)} id \(worker) startedAt 2025-11-26T22:00:00Z seenAt 2025-11-26T23:00:00Z "
                        + "requestsPerSecond 1e308 admitted \(id) refused quota-exceeded=\(id) pid \(id)")
            }
            let reports = try await RedisFleetStore(client: client).workers(at: Self.time)
            #expect(reports.count == 2)
            let sum = reports.map(\.traffic).reduce(.none, +)
            #expect(sum.requestsPerSecond.isFinite && sum.admitted > 0)

            try await client.send("ZADD webhooks:waiting 1e300 evt_1 -inf evt_2")
            try await client.send("ZADD topusers:{2025-11-26} inf user_abc 1e300 user_def")
            _ = try await RedisTopUsers(client: client).first(5, on: CalendarDay(containing: Self.time))
            _ = try await RedisWebhookBacklog(client: client).waiting(5)
        }
    }

    @Test func aClaimThatNeverEndsIsWaitedForADay() async throws {
        try await withClient { client, _ in
            _ = try await client.execute(RedisCommand("SET", "webhook:stripe:{evt_1}", "claimed x"))
            try await client.send("PEXPIRE webhook:stripe:{evt_1} 9000000000000000")
            let claim = try await RedisWebhookLedger(client: client).claim(eventID: "evt_1", token: "y")
            #expect(claim == .inWork(retryAfterSeconds: 86_400))
        }
    }

    @Test func theTimeOfRedisIsChecked() {
        func time(_ parts: String...) -> UnixTime? {
            RedisClock.time(in: .array(parts.map { .bytes(Array($0.utf8)) }))
        }
        #expect(time("1764198000", "250999") == UnixTime(milliseconds: 1_764_198_000_250))
        for (seconds, microseconds) in [
            ("9223372036854775807", "0"), ("-9223372036854775808", "0"), ("1764198000", "9223372036854775807"),
            ("1764198000", "-1"), ("253402300800", "0"), ("", "0"), ("1e9", "0"),
        ] {
            #expect(time(seconds, microseconds) == nil, "\(seconds) \(microseconds)")
        }
        #expect(time("1764198000") == nil)
        #expect(RedisClock.time(in: .integer(1)) == nil)
    }
}
