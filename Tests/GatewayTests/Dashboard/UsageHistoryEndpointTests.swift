import Hiredis
import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDataPlane
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `GET /usage/history`: what a user was charged for and refused. The time is 2025-11-26T23:00:00Z.
@Suite struct UsageHistoryEndpointTests {
    private struct History: Decodable {
        struct Entry: Decodable, Equatable {
            let date: String
            let calls: Int
            let routes: [String: Int]
            let refusals: [String: Int]
        }
        let userId, from, to, granularity, keptSince: String
        let history: [Entry]
    }

    private static func get(
        _ gateway: LocalGateway, _ user: String, _ query: String = ""
    ) async throws -> HTTP.Answer {
        try await HTTP.send(
            "GET", "/usage/history\(query)", port: gateway.port,
            headers: [("Authorization", "Bearer \(try gateway.token(user, plan: "free"))")])
    }

    private static func history(_ gateway: LocalGateway, _ user: String, _ query: String = "") async throws -> History {
        let answer = try await get(gateway, user, query)
        #expect(answer.status == 200, "\(answer.body)")
        #expect(answer.headers["cache-control"] == "no-store")
        return try JSONDecoder().decode(History.self, from: Data(answer.body.utf8))
    }

    @Test func callsAndRefusalsAreToldByDayAndMonth() async throws {
        try await withLocalGateway { gateway in
            try await withRedisClient(gateway.redis.patientConfiguration) { redis in
                try await redis.send("HSET usage:{user_abc}:2025-10-3 31/search 7 31!rate-limit-exceeded 9")
                try await redis.send("HSET usage:{user_def}:2025-11-2 26/search 1000")
            }
            for _ in 0..<7 { _ = try await gateway.verify("user_abc", plan: "free") }

            let days = try await Self.history(gateway, "user_abc")
            #expect(days.userId == "user_abc" && days.granularity == "day" && days.keptSince == "2024-10-23")
            #expect(days.from == "2025-10-28" && days.to == "2025-11-26" && days.history.count == 30)
            let none = Dictionary(uniqueKeysWithValues: CountedRefusal.allCases.map { ($0.rawValue, 0) })
            #expect(days.history[0] == .init(date: "2025-10-28", calls: 0, routes: [:], refusals: none))
            #expect(
                days.history[3]
                    == .init(
                        date: "2025-10-31", calls: 7, routes: ["search": 7],
                        refusals: none.merging(["rate-limit-exceeded": 9]) { $1 }))
            let today = History.Entry(
                date: "2025-11-26", calls: 5, routes: ["verify-auth": 5],
                refusals: none.merging(["quota-exceeded": 2]) { $1 })
            #expect(days.history[29] == today)

            let months = try await Self.history(
                gateway, "user_abc", "?from=2025-10-01&to=2025-11-30&granularity=month")
            #expect(months.history.map(\.date) == ["2025-10", "2025-11"])
            #expect(months.history.map(\.calls) == [7, 5])
            #expect(months.history[1].refusals == today.refusals)
            let part = try await Self.history(gateway, "user_abc", "?to=2025-10-30&granularity=month&from=2025-10-01")
            #expect(part.history.map(\.calls) == [0], "the part of the month that was asked for")
            let ofRoute = try await Self.get(gateway, "user_abc", "?from=2025-10-31&granularity=month&route=search")
            let entries = JSON(parsing: ofRoute.body.utf8)?["history"]
            #expect(
                entries == [
                    ["date": "2025-10", "calls": 7, "routes": ["search": 7]],
                    ["date": "2025-11", "calls": 0, "routes": [:]],
                ], "refusals are counted for no route: \(ofRoute.body)")
            let all = try await Self.history(gateway, "user_abc", "?from=2024-10-23")
            #expect(all.history.count == 400 && all.history.last == today)
        }
    }

    /// The code that history has for a refusal is that of its answer.
    @Test func codesAreThoseOfTheAnswers() async throws {
        try await withLocalGateway(yaml: "plans:\n  free: {quota: 5, ratePerMinute: 3}\n") { gateway in
            var codes: [String: Int] = [:]
            for _ in 0..<3 {
                for _ in 0..<4 {
                    if let code = try await gateway.verify("user_abc", plan: "free").member("code") {
                        codes[code, default: 0] += 1
                    }
                }
                gateway.time.advance(seconds: 600)
            }
            #expect(codes.count == 2)
            let history = try await Self.history(gateway, "user_abc")
            #expect(history.history[29].refusals.filter { $0.value > 0 } == codes)
        }
    }

    @Test func readingItCostsNothing() async throws {
        try await withLocalGateway { gateway in
            for _ in 0..<5 { _ = try await gateway.verify("user_abc", plan: "free") }
            for _ in 0..<3 {
                let answer = try await Self.get(gateway, "user_abc")
                #expect(answer.status == 200, "also when the quota is used up")
            }
            let history = try await Self.history(gateway, "user_abc")
            #expect(history.history[29].calls == 5 && history.history[29].refusals["quota-exceeded"] == 0)
        }
    }

    @Test(arguments: [
        ("?from=yesterday", "invalid-date"), ("?to=2025-02-30", "invalid-date"), ("?from=", "invalid-date"),
        ("?from=2025-11-26&to=2025-11-25", "invalid-range"), ("?from=2024-10-22", "invalid-range"),
        ("?granularity=hour", "invalid-granularity"),
    ])
    func whatIsNoRangeIsRefused(query: String, code: String) async throws {
        try await withLocalGateway { gateway in
            let answer = try await Self.get(gateway, "user_abc", query)
            #expect(answer.status == 400 && answer.member("code") == code, "\(answer.body)")
        }
    }

    @Test func keysAndStrangersSeeNothing() async throws {
        try await withLocalGateway { gateway in
            let key = try await HTTP.send(
                "POST", "/keys", port: gateway.port,
                headers: [("Authorization", "Bearer \(try gateway.token("user_abc"))")], body: #"{"name":"ci"}"#)
            let secret = try #require(key.member("key"))
            let withKey = try await HTTP.send(
                "GET", "/usage/history", port: gateway.port, headers: [("X-API-Key", secret)])
            #expect(withKey.status == 403 && withKey.member("code") == "session-token-required")
            let without = try await HTTP.send("GET", "/usage/history", port: gateway.port)
            #expect(without.status == 401)
        }
    }

    @Test func readsAreBoundedTogetherWithThoseOfTheAccount() async throws {
        try await withLocalGateway { gateway in
            for _ in 0..<120 { _ = try await Self.get(gateway, "user_abc") }
            let refused = try await Self.get(gateway, "user_abc")
            #expect(refused.status == 429 && refused.member("code") == "too-many-reads")
            let account = try await HTTP.send(
                "GET", "/account", port: gateway.port,
                headers: [("Authorization", "Bearer \(try gateway.token("user_abc"))")])
            #expect(account.status == 429)
        }
    }

    @Test func withoutRedisItSaysSo() async throws {
        try await withLocalGateway { gateway in
            await gateway.redis.stop()
            let answer = try await Self.get(gateway, "user_abc")
            #expect(answer.status == 503 && answer.member("code") == "service-unavailable")
        }
    }
}
