import TestSupport
import Testing
import TollgateDataPlane
import TollgateDev
import TollgateServer

/// Which keys may buy and cancel.
@Suite struct BillingKeyTests {
    private static func call(_ market: Market, _ key: String, _ path: String) async throws -> HTTP.Answer {
        try await HTTP.send("POST", path, port: market.port, headers: [("X-API-Key", key)])
    }

    private static func makeKey(_ market: Market, _ scopes: String, of user: String) async throws -> String {
        let answer = try await market.call("POST", "/keys", user, body: #"{"name":"k","scopes":\#(scopes)}"#)
        return try #require(answer.member("key"), "\(answer.body)")
    }

    /// The key is in the code of web pages: a reader of one may not cancel its owner's subscription.
    @Test func thePublishableKeyOpensNeitherCheckoutNorPortal() async throws {
        try await withMarket { market in
            try await market.buy("user_abc")
            let made = try await market.call("POST", "/generate-credentials", "user_abc")
            let key = try #require(made.member("apiKey"))
            for path in ["/create-checkout", "/billing-portal"] {
                let answer = try await Self.call(market, key, path)
                #expect(answer.status == 403, "\(path)")
                #expect(answer.member("code") == "scope-missing")
                #expect(answer.member("message")?.hasSuffix("or a secret key with the scope 'billing'.") == true)
                #expect(answer.member("portalUrl") == nil && answer.member("checkoutUrl") == nil)
            }
            #expect(market.stripe.checkoutSessions.count == 1, "the one that was paid")
            let own = try await market.call("POST", "/billing-portal", "user_abc")
            #expect(own.status == 200)
        }
    }

    @Test func billingTakesASecretKeyWithItsScope() async throws {
        try await withMarket { market in
            try await market.buy("user_abc")
            for (scopes, status) in [
                (#"["billing"]"#, 200), (#"["*"]"#, 200), (#"["credentials","read"]"#, 403), ("[]", 403),
            ] {
                let key = try await Self.makeKey(market, scopes, of: "user_abc")
                let portal = try await Self.call(market, key, "/billing-portal")
                #expect(portal.status == status, "\(scopes): \(portal.body)")
                let buyer = try await Self.makeKey(market, scopes, of: "user_def")
                let checkout = try await Self.call(market, buyer, "/create-checkout")
                #expect(checkout.status == status, "\(scopes): \(checkout.body)")
            }
        }
    }
}
