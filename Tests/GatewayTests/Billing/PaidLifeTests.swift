import JSONValue
import TestSupport
import Testing
import TollgateCore
import TollgateDataPlane
import TollgateDev
import TollgateServer

/// The testing checklist of front-auth-api, line by line, through a load balancer before three gateways.
@Suite struct PaidLifeTests {
    @Test func theChecklistOfTheOriginal() async throws {
        try await withMarket(gateways: 3) { gateways in
            let workers = gateways.gateways.map { ("127.0.0.1", $0.publicPort, $0.adminPort) }
            try await Balancer.run(before: workers, isPatient: true) { balancer in
                let market = gateways.behind(balancer.port)
                try await walk(market)
            }
        }
    }

    private func walk(_ market: Market) async throws {
        // [ ] Sign up new user → Check if plan='free' in JWT
        market.clerk.addUser(id: "user_abc", publicMetadata: ["plan": "free"])
        let token = try market.clerk.token(user: "user_abc", now: market.time.now())
        func call() async throws -> HTTP.Answer { try await HTTP.verify(token, port: market.port) }

        // [ ] Make 5 API calls → Should all succeed
        for count in 1...5 {
            let answer = try await call()
            #expect(answer.status == 200)
            #expect(answer.body.contains(#""count":\#(count),"limit":5,"plan":"free""#))
        }
        // [ ] Make 6th API call → Should return 403
        let sixth = try await call()
        #expect(sixth.status == 403)
        #expect(sixth.member("error") == "Tier limit reached")

        // [ ] Pay for subscription → Webhook should set plan='paid'
        try await market.buy("user_abc")
        #expect(market.clerk.publicMetadata(of: "user_abc")?["plan"] == "paid")
        // [ ] Make 6th call after payment → Should succeed (500 limit now)
        let afterPayment = try await call()
        #expect(afterPayment.status == 200, "with the token from before the payment")
        #expect(afterPayment.body.contains(#""count":6,"limit":500,"plan":"paid""#))
        market.time.advance(seconds: 60)
        let newToken = try market.clerk.token(user: "user_abc", now: market.time.now())
        let withNewToken = try await HTTP.verify(newToken, port: market.port)
        #expect(withNewToken.body.contains(#""count":7,"limit":500,"plan":"paid""#))

        // [ ] Make 100 requests in 1 minute → Should get rate limited
        for _ in 2...100 {
            let answer = try await call()
            #expect(answer.status == 200)
        }
        let tooMany = try await call()
        #expect(tooMany.status == 429)
        #expect(tooMany.member("error") == "Rate limit exceeded. Try again in 1 minute.")

        // [ ] Cancel subscription → Should downgrade to free tier
        market.time.advance(seconds: 60)
        try market.stripe.cancel(try #require(market.subscription(of: "user_abc")?["id"].string))
        try await market.webhooksAreDone()
        #expect(market.clerk.publicMetadata(of: "user_abc")?["plan"] == "free")
        for token in [token, newToken] {
            let downgraded = try await HTTP.verify(token, port: market.port)
            #expect(downgraded.status == 403, "with the token that still claims the paid plan, too")
            #expect(downgraded.body.contains(#""count":106,"limit":5,"plan":"free""#))
        }

        // [ ] Wait until next month → Counter should reset
        market.time.set(UnixTime(seconds: 1_764_547_200))
        let december = try market.clerk.token(user: "user_abc", now: market.time.now())
        let reset = try await HTTP.verify(december, port: market.port)
        #expect(reset.status == 200)
        #expect(
            reset.body.contains(
                #""count":1,"limit":5,"plan":"free","periodStart":"2025-12-01","periodEnd":"2025-12-31""#))
    }
}
