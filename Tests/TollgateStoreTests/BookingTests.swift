import Hiredis
import NIOCore
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

/// Calls that passed while Redis was away, and are booked afterwards. The time of booking is 2025-11-26T23:00:00Z.
@Suite(.timeLimit(.minutes(6))) struct BookingTests {
    private static let usage = "usage:{user_abc}"
    private static let booked = "booked:{user_abc}"
    private static let today = CalendarDay(containing: KeyGateway.time)
    private static let october = CalendarDay(year: 2025, month: 10, day: 31)

    private static func day(_ text: String) throws -> CalendarDay {
        CalendarDay(containing: try #require(UnixTime(iso8601: text + "T00:00:00Z")))
    }

    // MARK: What is booked

    /// The record is what the calls would have made of it.
    @Test func theRecordOfSomeoneNewIsMade() async throws {
        try await KeyGateway.run { gateway in
            try await gateway.book([(Self.today, "search", 3), (Self.today, "export", 2)])
            #expect(
                try await gateway.hash(Self.usage) == [
                    "usageCount": "5", "lastUpdated": "2025-11-26T23:00:00Z", "periodStart": "2025-11-01",
                    "periodEnd": "2025-11-30",
                ])
            #expect(try await gateway.hash(KeyGateway.tenDays) == ["26/search": "3", "26/export": "2"])
            #expect(try await gateway.hash(Self.booked) == ["worker-1": "1"])
            for (key, days) in [(Self.usage, Int64(62)), (KeyGateway.tenDays, 401), (Self.booked, 7)] {
                let life = try await gateway.client.send("TTL \(key)").integer ?? -1
                #expect(life > 0 && life <= days * 86_400, "\(key): \(life)")
            }
            let next = try await gateway.admit()
            #expect(next.outcome == .quotaExceeded && next.usage.count == 5)
        }
    }

    @Test func callsAreAddedToThoseOfTheDay() async throws {
        try await KeyGateway.run { gateway in
            for _ in 1...2 { _ = try await gateway.admit() }
            let life = try await gateway.client.send("TTL \(KeyGateway.tenDays)").integer ?? -1
            try await gateway.book([(Self.today, "search", 3)], after: 60)
            #expect(try await gateway.count() == 5)
            #expect(try await gateway.hash(KeyGateway.tenDays) == ["26/search": "5"])
            let record = try await gateway.hash(Self.usage)
            #expect(record["plan"] == "free" && record["lastUpdated"] == "2025-11-26T23:01:00Z")
            #expect(try await gateway.client.send("TTL \(KeyGateway.tenDays)").integer ?? -1 <= life)
        }
    }

    /// It is true that they were made.
    @Test func theQuotaMayBeExceeded() async throws {
        try await KeyGateway.run { gateway in
            try await gateway.book([(Self.today, "search", 1000)])
            let refused = try await gateway.admit()
            #expect(refused.outcome == .quotaExceeded && refused.usage.count == 1000)
        }
    }

    // MARK: Once

    @Test func aBatchThatIsToldAgainChangesNothing() async throws {
        try await KeyGateway.run { gateway in
            try await gateway.book([(Self.today, "search", 3)], number: 7)
            for number in [7, 6, 1] {
                let changes = try await gateway.changes {
                    try await gateway.book([(Self.today, "search", 3)], number: number, after: 60)
                }
                #expect(changes.isEmpty, "\(number): \(changes)")
            }
            try await gateway.book([(Self.today, "search", 1)], number: 8)
            #expect(try await gateway.count() == 4)
            try await gateway.book([(Self.today, "search", 1)], number: 8, worker: "worker-2")
            #expect(try await gateway.count() == 5, "each worker has numbers of its own")
            #expect(try await gateway.hash(Self.booked) == ["worker-1": "8", "worker-2": "8"])
        }
    }

    /// Redis has done it, and the worker never learns of that.
    @Test func aBatchWhoseAnswerWasLostIsBookedOnce() async throws {
        let relay = try await LossyRelay()
        try await withRedis { server in
            relay.lead(to: server.port)
            var configuration = RedisClientConfiguration(
                endpoint: try RedisEndpoint(url: "redis://127.0.0.1:\(relay.port)"))
            configuration.commandTimeout = .seconds(1)
            let user = try #require(UserID("user_abc"))
            let batch = OutageBook.Batch(
                userID: user, number: 1, lines: [.init(day: Self.today, route: "search", calls: 3)])
            try await withRedisClient(server.patientConfiguration) { other in
                try await withRedisClient(configuration) { client in
                    let store = RedisAdmissionStore(client: client, plans: .standard)
                    relay.loseAnswers()
                    do throws(StoreUnavailable) {
                        try await store.book(batch, passing: "worker-1", at: KeyGateway.time)
                        Issue.record("there was no answer")
                    } catch {
                        #expect(error.cause == .unreachable && error.mayBeDone, "\(error)")
                    }
                    // The text of the script was not known: nothing has run yet.
                    relay.passAnswers()
                    try await eventually("it is booked") {
                        (try? await store.book(batch, passing: "worker-1", at: KeyGateway.time)) != nil
                    }
                    relay.loseAnswers()
                    let again = OutageBook.Batch(userID: user, number: 2, lines: batch.lines)
                    await #expect(throws: StoreUnavailable.self) {
                        try await store.book(again, passing: "worker-1", at: KeyGateway.time)
                    }
                    try await eventually("Redis has done it") {
                        try await other.send("HGET \(Self.usage) usageCount").string == "6"
                    }
                    relay.passAnswers()
                    try await eventually("it is answered") {
                        (try? await store.book(again, passing: "worker-1", at: KeyGateway.time)) != nil
                    }
                    #expect(try await other.send("HGET \(Self.usage) usageCount").string == "6")
                    #expect(try await other.send("HGET \(KeyGateway.tenDays) 26/search").string == "6")
                }
            }
        }
        try await relay.close()
    }

    // MARK: The month

    /// `passed` and what the record says then: `usageCount periodStart`, and of the month before the same.
    struct Case: Sendable, CustomStringConvertible {
        var description: String { "\(record), passed on \(passed)" }

        let record: [String: String]
        let passed: String
        let expected: [String: String]
    }

    private static func record(_ count: String, _ start: String, _ previous: String? = nil, _ month: String? = nil)
        -> [String: String]
    {
        var fields = ["usageCount": count, "periodStart": start]
        if let previous { fields["previousUsageCount"] = previous }
        if let month { fields["previousPeriodStart"] = month }
        return fields
    }

    private static let cases: [Case] = [
        // This month, and the one before while it is on record.
        Case(record: record("3", "2025-11-01"), passed: "2025-11-26", expected: record("5", "2025-11-01")),
        Case(
            record: record("3", "2025-11-01", "9", "2025-10-01"), passed: "2025-10-31",
            expected: record("3", "2025-11-01", "11", "2025-10-01")),
        // The month before is not on record: the user was not seen in it otherwise.
        Case(
            record: record("3", "2025-11-01"), passed: "2025-10-31",
            expected: record("3", "2025-11-01", "2", "2025-10-01")),
        Case(
            record: record("3", "2025-11-01", "9", "2025-08-01"), passed: "2025-10-31",
            expected: record("3", "2025-11-01", "2", "2025-10-01")),
        // Of a month further back no count is kept.
        Case(
            record: record("3", "2025-11-01", "9", "2025-10-01"), passed: "2025-09-30",
            expected: record("3", "2025-11-01", "9", "2025-10-01")),
        // The month has changed since the user was seen last.
        Case(
            record: record("3", "2025-10-01", "9", "2025-09-01"), passed: "2025-11-26",
            expected: record("2", "2025-11-01", "3", "2025-10-01")),
        Case(
            record: record("3", "2025-09-01"), passed: "2025-10-31",
            expected: record("2", "2025-10-01", "3", "2025-09-01")),
        // A month that an operator has made begin within it.
        Case(record: record("3", "2025-11-15"), passed: "2025-11-26", expected: record("5", "2025-11-15")),
        Case(
            record: record("3", "2025-11-15", "9", "2025-11-01"), passed: "2025-11-14",
            expected: record("3", "2025-11-15", "11", "2025-11-01")),
        // One that lies ahead is taken for this one by the next call, with its count.
        Case(record: record("3", "2036-03-01"), passed: "2025-11-26", expected: record("5", "2036-03-01")),
        Case(record: record("3", "2036-03-01"), passed: "2025-10-31", expected: record("3", "2036-03-01")),
        Case(
            record: record("3", "2036-03-01", "9", "2025-11-01"), passed: "2025-11-26",
            expected: record("3", "2036-03-01", "11", "2025-11-01")),
        // So is one that is none.
        Case(record: record("3", "soon"), passed: "2025-11-26", expected: record("5", "soon")),
        Case(record: record("3", "soon"), passed: "2025-10-31", expected: record("3", "soon")),
        Case(record: ["usageCount": "3"], passed: "2025-11-26", expected: record("5", "2025-11-01")),
        Case(record: ["usageCount": "3"], passed: "2025-10-31", expected: ["usageCount": "3"]),
        // The user has not called before.
        Case(record: ["plan": "free"], passed: "2025-10-31", expected: record("2", "2025-10-01")),
        // Passed by a clock that was ahead.
        Case(record: record("3", "2025-11-01"), passed: "2025-12-01", expected: record("5", "2025-11-01")),
        // Counts that are none.
        Case(record: record("many", "2025-11-01"), passed: "2025-11-26", expected: record("2", "2025-11-01")),
        Case(record: record("-7", "2025-11-01"), passed: "2025-11-26", expected: record("-5", "2025-11-01")),
        Case(
            record: record("9007199254740992", "2025-11-01"), passed: "2025-11-26",
            expected: record("9007199254740992", "2025-11-01")),
        Case(
            record: record("3", "2025-11-01", "many", "2025-10-01"), passed: "2025-10-31",
            expected: record("3", "2025-11-01", "2", "2025-10-01")),
    ]

    @Test(arguments: cases) func callsGoToTheMonthThatTheyPassedIn(_ the: Case) async throws {
        try await KeyGateway.run { gateway in
            let fields = the.record.flatMap { [$0.key, $0.value] }
            _ = try await gateway.client.execute(RedisCommand(arguments: ["HSET", Self.usage] + fields))
            try await gateway.book([(try Self.day(the.passed), "search", 2)])
            let names = ["usageCount", "periodStart", "previousUsageCount", "previousPeriodStart"]
            let after = try await gateway.hash(Self.usage).filter { names.contains($0.key) }
            #expect(after == the.expected)
            #expect(try await gateway.booked(on: Self.day(the.passed)) == ["search": "2"])
        }
    }

    /// Whatever days and months they pass in, and whenever they are booked: the records are as if Redis had been there.
    @Test func whatIsBookedLaterIsAsIfItHadBeenAdmitted() async throws {
        let plans = try PlanTable([Plan(name: "free", quota: 1_000_000, ratePerMinute: 1_000_000)])
        try await KeyGateway.run(plans: plans) { gateway in
            for seed in UInt64(1)...60 { try await Self.comparePassedWithAdmitted(seed: seed, gateway) }
        }
    }

    private static func comparePassedWithAdmitted(seed: UInt64, _ gateway: KeyGateway) async throws {
        var random = SeededGenerator(seed: seed)
        var time = KeyGateway.time.adding(seconds: -100 * 86_400)
        let (asked, passed) = (try #require(UserID("asked_\(seed)")), try #require(UserID("passed_\(seed)")))
        func admit(_ user: UserID, calls: Int = 1, route: String = "a") async throws {
            let request = AdmissionRequest(principal: Principal(userID: user), time: time, cost: calls, route: route)
            #expect(try await gateway.admissions.admit(request).outcome == .admitted)
        }
        func goOn(_ random: inout SeededGenerator) {
            let steps: [Int64] = [0, 1, 3600, 86_400, 9 * 86_400, 20 * 86_400, 40 * 86_400]
            time = time.adding(seconds: steps.randomElement(using: &random) ?? 0)
        }
        if Bool.random(using: &random) { for user in [asked, passed] { try await admit(user) } }
        var (book, days) = (OutageBook(), Set([CalendarDay(containing: time)]))
        for _ in 1...Int.random(in: 1...6, using: &random) {
            goOn(&random)
            let (calls, route) = (Int.random(in: 1...3, using: &random), Bool.random(using: &random) ? "a" : "b")
            try await admit(asked, calls: calls, route: route)
            let isKept = book.passed(passed, calls: calls, route: route, at: time)
            #expect(isKept)
            days.insert(CalendarDay(containing: time))
        }
        goOn(&random)
        for batch in book.due(at: 0, limit: 1) {
            for _ in 1...2 { try await gateway.admissions.book(batch, passing: "worker-1", at: time) }
        }
        for user in [asked, passed] { try await admit(user) }
        let record = try await gateway.hash("usage:{\(passed)}")
        #expect(try await gateway.hash("usage:{\(asked)}") == record, "seed \(seed)")
        for day in days {
            let days = "\(day)".dropLast()
            let calls = try await gateway.hash("usage:{\(passed)}:\(days)")
            #expect(try await gateway.hash("usage:{\(asked)}:\(days)") == calls, "seed \(seed), \(day)")
        }
    }

    @Test func whatTookOverAMonthAheadTakesItsCallsToo() async throws {
        try await KeyGateway.run { gateway in
            try await gateway.writeUsage(["takenOverPeriodStart": "2025-12-01"])
            try await gateway.book([(Self.today, "search", 1)])
            #expect(try await gateway.count() == 4)
            #expect(try await gateway.hash(Self.usage)["takenOverPeriodStart"] == "2025-12-01")
        }
    }

    // MARK: Damaged values

    @Test(arguments: [usage, booked, "usage:{user_abc}:2025-11-2"])
    func aKeyOfAnotherTypeFailsAndChangesNothing(key: String) async throws {
        try await KeyGateway.run { gateway in
            for command in ["SET \(key) text", "RPUSH \(key) x"] {
                try await gateway.client.send("DEL \(key)")
                try await gateway.client.send(command)
                let changes = try await gateway.changes {
                    do throws(StoreUnavailable) {
                        try await gateway.book([(Self.today, "search", 1)])
                        Issue.record("\(key) was taken as it stands")
                    } catch {
                        #expect(error.cause == .answeredError(.wrongType) && !error.mayBeDone, "\(error)")
                        #expect(error.reason.contains(" \(key) holds"), "\(error)")
                    }
                }
                #expect(changes.isEmpty, "\(changes)")
            }
            try await gateway.client.send("DEL \(key)")
            try await gateway.book([(Self.today, "search", 1)])
            #expect(try await gateway.count() == 1)
        }
    }

    @Test(arguments: ["many", "1e300", "9223372036854775807", ""])
    func aDaysCountThatIsNoneIsWrittenAnew(text: String) async throws {
        try await KeyGateway.run { gateway in
            try await gateway.send("HSET", KeyGateway.tenDays, "26/search", text, "26/other", "4")
            try await gateway.book([(Self.today, "search", 2)])
            #expect(try await gateway.hash(KeyGateway.tenDays) == ["26/search": "2", "26/other": "4"])
            #expect(try await gateway.count() == 2)
        }
    }

    @Test func aBatchNumberThatIsNoneIsWrittenAnew() async throws {
        try await KeyGateway.run { gateway in
            for text in ["many", "1e300", ""] {
                try await gateway.send("HSET", Self.booked, "worker-1", text)
                try await gateway.book([(Self.today, "search", 1)])
                #expect(try await gateway.hash(Self.booked) == ["worker-1": "1"])
            }
            #expect(try await gateway.count() == 3)
        }
    }

    // MARK: Clocks

    /// What is written for good is checked against Redis' clock.
    @Test func aWorkerWhoseTimeIsAnotherBooksNothing() async throws {
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                let clock = RedisClock(systemClock: ManualTime(KeyGateway.time))
                let store = RedisAdmissionStore(client: client, plans: .standard, clock: clock)
                let user = try #require(UserID("user_abc"))
                let batch = OutageBook.Batch(
                    userID: user, number: 1, lines: [.init(day: Self.today, route: "search", calls: 1)])
                do throws(StoreUnavailable) {
                    try await store.book(batch, passing: "worker-1", at: KeyGateway.time)
                    Issue.record("the time was taken as it is")
                } catch {
                    #expect(error.cause == .clockDiffers && !error.mayBeDone)
                }
                #expect(try await StoredState(client).names.isEmpty)
                #expect(await clock.synchronize(with: client))
                try await store.book(batch, passing: "worker-1", at: clock.now())
                #expect(try await client.send("EXISTS \(Self.usage)").integer == 1)
            }
        }
    }
}

extension KeyGateway {
    /// Books calls of the user that passed on these days by these routes.
    func book(
        _ lines: [(CalendarDay, String, Int)], number: Int = 1, worker: String = "worker-1", after seconds: Int64 = 0
    ) async throws(StoreUnavailable) {
        try await admissions.book(
            OutageBook.Batch(
                userID: user, number: number, lines: lines.map { .init(day: $0.0, route: $0.1, calls: $0.2) }),
            passing: worker, at: Self.time.adding(seconds: seconds))
    }
}
