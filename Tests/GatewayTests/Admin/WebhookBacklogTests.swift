import Hiredis
import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer
import TollgateStore

/// Events that failed and wait for Stripe to send them again.
@Suite struct WebhookBacklogTests {
    private static func waiting(in market: Market) async throws -> JSON {
        let answer = try await HTTP.get("/overview.json", port: market.gateways[0].adminPort)
        return try #require(JSON(parsing: answer.body.utf8))["webhooks"]
    }

    private static let start = UnixTime(seconds: 1_764_198_000)

    private static func event(_ id: String, secondsLater seconds: Int64 = 0) -> JSON {
        Market.event(
            "customer.subscription.updated", Market.subscription(), id: id, created: start.adding(seconds: seconds))
    }

    @Test func anEventWaitsFromItsFirstFailureToItsSuccess() async throws {
        try await withMarket { market in
            market.stripe.put(subscription: Market.subscription())
            // Three deliveries with three tries each.
            market.clerk.faults.inject(.status(500), times: 9)
            for seconds in [0, 60] {
                market.time.set(Self.start.adding(seconds: Int64(seconds)))
                let failed = try await market.deliver(Self.event("evt_1"))
                #expect(failed.status == 500)
            }
            let other = try await market.deliver(Self.event("evt_2", secondsLater: 60))
            #expect(other.status == 500)
            let waiting = try await Self.waiting(in: market)
            let expected: JSON = [
                "waiting": 2, "oldest": "2025-11-26T23:00:00Z",
                "events": [
                    ["id": "evt_1", "since": "2025-11-26T23:00:00Z"],
                    ["id": "evt_2", "since": "2025-11-26T23:01:00Z"],
                ],
            ]
            #expect(waiting == expected)
            market.clerk.faults.clear()
            for id in ["evt_1", "evt_2"] {
                let done = try await market.deliver(Self.event(id, secondsLater: id == "evt_1" ? 0 : 60))
                #expect(done.status == 200)
            }
            let empty = try await Self.waiting(in: market)
            #expect(empty == ["waiting": 0, "oldest": .null, "events": []])
        }
    }

    /// An operator may lose the sight of it; Stripe's answer stays the same.
    @Test func stripeIsAnsweredWhateverBecomesOfTheBacklog() async throws {
        try await withMarket { market in
            _ = try await withRedisClient(market.redis.configuration) { redis in
                try await redis.send("SET webhooks:waiting nonsense")
            }
            market.stripe.put(subscription: Market.subscription())
            market.clerk.faults.inject(.status(500), times: 3)
            let failed = try await market.deliver(Self.event("evt_1"))
            #expect(failed.status == 500)
            #expect(failed.member("code") == "identity-provider-unavailable")
            let done = try await market.deliver(Self.event("evt_1"))
            #expect(done.status == 200)
            let unknown = try await Self.waiting(in: market)
            #expect(unknown == .null, "what cannot be read is not told")
        }
    }

    @Test func theBacklogIsBounded() async throws {
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { redis in
                let backlog = RedisWebhookBacklog(client: redis)
                let start = UnixTime(seconds: 1_764_198_000)
                for number in 0..<1010 {
                    try await backlog.add(eventID: "evt_\(number)", at: start.adding(seconds: Int64(number)))
                }
                let full = try await backlog.waiting(2)
                #expect(full.count == RedisWebhookBacklog.maximumEvents)
                #expect(full.events.map(\.id) == ["evt_0", "evt_1"], "those that failed first stay")
                try await backlog.forgetOld(at: start.adding(seconds: RedisWebhookBacklog.keptSeconds + 500))
                let left = try await backlog.waiting(1)
                #expect(left.count == 500)
                #expect(left.events.map(\.id) == ["evt_500"])
                try await backlog.remove(eventID: "evt_500")
                let next = try await backlog.waiting(1)
                #expect(next.events.map(\.id) == ["evt_501"])
            }
        }
    }
}
