import Hiredis
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

/// `GET /account`: all that the customers' page shows.
@Suite struct AccountTests {
    /// The answer, as far as the tests look at it.
    private struct Account: Decodable {
        struct Usage: Decodable { let count, limit, remaining: Int }
        struct Rate: Decodable { let limit, remaining, resetSeconds: Int }
        struct Price: Decodable, Equatable { let amount, currency: String }
        struct Plan: Decodable {
            let name: String
            let quota: Int
            let price: Price?
            let isSold: Bool
        }
        struct Subscription: Decodable, Equatable {
            let plan, status: String
            var periodEnd, endsAt, trialEnd, pastDueSince, graceUntil: String?
            var collectionPause: Pause?
            let hasPortal: Bool

            struct Pause: Decodable, Equatable { let until: String? }
        }
        struct Credentials: Decodable { let platformId, apiKey: String }
        struct Key: Decodable { let id, name: String }
        struct History: Decodable {
            struct Route: Decodable, Equatable {
                let name: String
                let calls: [Int]
            }
            let days: [String]
            let routes: [Route]
        }
        let userId: String
        let time: String
        let usage: Usage
        let rateLimit: Rate
        let plans: [Plan]
        let subscription: Subscription?
        let credentials: Credentials?
        let keys: [Key]
        let maximumKeys: Int
        let history: History
    }

    private static func account(_ gateway: LocalGateway, _ user: String, plan: String? = "free") async throws -> Account
    {
        let answer = try await get(gateway, user, plan: plan)
        #expect(answer.status == 200, "\(answer.body)")
        #expect(answer.headers["cache-control"] == "no-store")
        return try JSONDecoder().decode(Account.self, from: Data(answer.body.utf8))
    }

    private static func get(_ gateway: LocalGateway, _ user: String, plan: String? = "free") async throws -> HTTP.Answer
    {
        try await HTTP.send(
            "GET", "/account", port: gateway.port,
            headers: [("Authorization", "Bearer \(try gateway.token(user, plan: plan))")])
    }

    @Test func aNewUserSeesAnEmptyAccount() async throws {
        try await withLocalGateway { gateway in
            let account = try await Self.account(gateway, "user_new", plan: nil)
            #expect(account.userId == "user_new" && account.time == "2025-11-26T23:00:00Z")
            #expect(account.usage.count == 0 && account.usage.limit == 5 && account.usage.remaining == 5)
            #expect(account.rateLimit.limit == 100 && account.rateLimit.remaining == 100)
            #expect(account.subscription == nil && account.credentials == nil && account.keys.isEmpty)
            #expect(account.maximumKeys == 50)
            #expect(account.plans.map(\.name) == ["free", "paid"])
            #expect(account.plans.map(\.price?.amount) == ["0", "29"])
            #expect(account.plans.allSatisfy { !$0.isSold }, "nothing can be bought without Stripe")
            #expect(account.history.days.count == 30 && account.history.days.last == "2025-11-26")
            #expect(account.history.days.first == "2025-10-28" && account.history.routes.isEmpty)
        }
    }

    @Test func allOfItIsThereAndReadingItCostsNothing() async throws {
        try await withLocalGateway { gateway in
            let token = [("Authorization", "Bearer \(try gateway.token("user_abc", plan: "paid"))")]
            for _ in 0..<2 { _ = try await gateway.verify("user_abc", plan: "paid") }
            let made = try await HTTP.send("POST", "/generate-credentials", port: gateway.port, headers: token)
            _ = try await HTTP.send("POST", "/keys", port: gateway.port, headers: token, body: #"{"name":"<b>ci</b>"}"#)
            gateway.time.advance(seconds: 3600)
            _ = try await gateway.verify("user_abc", plan: "paid")
            for _ in 0..<3 { _ = try await Self.account(gateway, "user_abc", plan: "paid") }

            let account = try await Self.account(gateway, "user_abc", plan: "paid")
            #expect(account.usage.count == 4 && account.usage.limit == 500, "reading costs no call")
            #expect(account.rateLimit.remaining == 99, "and takes no place in the minute")
            #expect(account.credentials?.apiKey == made.member("apiKey"))
            #expect(account.keys.map(\.name) == ["<b>ci</b>"])
            #expect(account.history.days.last == "2025-11-27")
            let zeros = [Int](repeating: 0, count: 28)
            #expect(
                account.history.routes == [
                    .init(name: "verify-auth", calls: zeros + [2, 1]),
                    .init(name: "generate-credentials", calls: zeros + [1, 0]),
                ])
        }
    }

    @Test func aSubscriptionIsToldAsFarAsItIsTheCustomers() async throws {
        let yaml = "plans:\n  free: {quota: 5}\n  paid: {quota: 500, price: 29.50 EUR}\n"
        try await withLocalGateway(settings: ["STRIPE_PAST_DUE_GRACE_DAYS": "3"], yaml: yaml) { gateway in
            _ = try await withRedisClient(gateway.redis.patientConfiguration) { redis in
                try await redis.send(
                    "HSET subscription:{user_abc} plan paid status past_due customer cus_1 subscription sub_1 "
                        + "periodEnd 2025-12-24T00:00:00Z pastDueSince 2025-11-26T22:00:00Z writtenAt "
                        + "2025-11-26T22:00:00Z periodStart 2025-11-24T00:00:00Z")
            }
            let account = try await Self.account(gateway, "user_abc", plan: nil)
            #expect(account.usage.limit == 500)
            #expect(
                account.subscription
                    == .init(
                        plan: "paid", status: "past_due", periodEnd: "2025-12-24T00:00:00Z",
                        pastDueSince: "2025-11-26T22:00:00Z", graceUntil: "2025-11-29T22:00:00Z", hasPortal: false))
            #expect(account.plans.map(\.price) == [nil, .init(amount: "29.50", currency: "EUR")])
        }
    }

    @Test func whatIsToComeOfASubscriptionIsTold() async throws {
        try await withLocalGateway { gateway in
            let record = "HSET subscription:{user_abc} plan paid status trialing customer cus_1 subscription sub_1 "
            _ = try await withRedisClient(gateway.redis.patientConfiguration) { redis in
                try await redis.send(
                    record + "periodStart 2025-11-24T00:00:00Z periodEnd 2025-12-24T00:00:00Z "
                        + "endsAt 2025-12-20T00:00:00Z trialEnd 2025-12-01T00:00:00Z collectionPausedUntil further-notice"
                )
            }
            let account = try await Self.account(gateway, "user_abc", plan: nil)
            #expect(
                account.subscription
                    == .init(
                        plan: "paid", status: "trialing", periodEnd: "2025-12-24T00:00:00Z",
                        endsAt: "2025-12-20T00:00:00Z", trialEnd: "2025-12-01T00:00:00Z",
                        collectionPause: .init(until: nil), hasPortal: false))
            _ = try await withRedisClient(gateway.redis.patientConfiguration) { redis in
                try await redis.send(record + "collectionPausedUntil 2026-01-01T00:00:00Z")
            }
            let paused = try await Self.account(gateway, "user_abc", plan: nil)
            #expect(paused.subscription?.collectionPause == .init(until: "2026-01-01T00:00:00Z"))
        }
    }

    @Test func keysAndStrangersSeeNothing() async throws {
        try await withLocalGateway { gateway in
            let key = try await HTTP.send(
                "POST", "/keys", port: gateway.port,
                headers: [("Authorization", "Bearer \(try gateway.token("user_abc"))")], body: #"{"name":"ci"}"#)
            let secret = try #require(key.member("key"))
            let withKey = try await HTTP.send("GET", "/account", port: gateway.port, headers: [("X-API-Key", secret)])
            #expect(withKey.status == 403 && withKey.member("code") == "session-token-required")
            #expect(withKey.member("message")?.hasPrefix("The account is for session tokens, not for keys.") == true)
            let without = try await HTTP.send("GET", "/account", port: gateway.port)
            #expect(without.status == 401)
            let wrongMethod = try await HTTP.send("POST", "/account", port: gateway.port)
            #expect(wrongMethod.status == 405)
        }
    }

    @Test func readsAreBoundedForEachUser() async throws {
        try await withLocalGateway { gateway in
            for _ in 0..<120 {
                let answer = try await Self.get(gateway, "user_abc")
                #expect(answer.status == 200)
            }
            let refused = try await Self.get(gateway, "user_abc")
            #expect(refused.status == 429 && refused.member("code") == "too-many-reads")
            #expect(refused.headers["retry-after"] == "60")
            let other = try await Self.get(gateway, "user_def")
            #expect(other.status == 200, "another user is not meant")
            gateway.time.advance(seconds: 60)
            let later = try await Self.get(gateway, "user_abc")
            #expect(later.status == 200)
        }
    }

    @Test func withoutRedisItSaysSo() async throws {
        try await withLocalGateway { gateway in
            _ = try await Self.account(gateway, "user_abc")
            await gateway.redis.stop()
            let answer = try await Self.get(gateway, "user_abc")
            #expect(answer.status == 503 && answer.member("code") == "service-unavailable")
        }
    }
}
