import JSONValue
import StripeBilling
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Stripe's and Clerk's own libraries as judges: what they make we accept, and what we make they accept.
@Suite struct OracleTests {
    private static let event = Market.event(
        "product.created", ["id": "prod_ä", "object": "product"], created: SystemClock().now())

    @Test func theGatewayAcceptsStripesSignature() async throws {
        try await withMarket { market in
            market.time.set(SystemClock().now())
            let header = try await Oracle.ask("stripe", ["sign", Market.webhookSecret], input: Self.event.text)
            let answer = try await market.post(Self.event.text, signature: header)
            #expect(answer.status == 200, "\(answer.body)")
            let other = try await Oracle.ask("stripe", ["sign", "whsec_other"], input: Self.event.text)
            let refused = try await market.post(Self.event.text, signature: other)
            #expect(refused.status == 400)
        }
    }

    @Test func stripeAcceptsOurSignature() async throws {
        let header = WebhookSignature.sign(
            payload: Array(Self.event.text.utf8), secret: Market.webhookSecret, at: SystemClock().now())
        let id = try await Oracle.ask("stripe", ["verify", Market.webhookSecret, header], input: Self.event.text)
        #expect(id == "evt_1")
        let refused = try await Oracle.ask("stripe", ["verify", "whsec_other", header], input: Self.event.text)
        #expect(refused.contains("SignatureVerificationError"))
    }

    @Test func stripesClientUnderstandsTheStandIn() async throws {
        try await withMarket { market in
            let answer = try await Oracle.ask("stripe", ["checkout", market.stripe.url])
            let session = try #require(market.stripe.checkoutSessions.values.first)
            #expect(session["client_reference_id"] == "user_abc")
            #expect(answer == "\(session["url"].string ?? "-")\n400 resource_missing customer")
        }
    }

    @Test func clerkAcceptsDevelopmentTokens() async throws {
        let identity = try DevelopmentIdentity.shared()
        let token = try identity.token(user: "user_abc", plan: "free", now: SystemClock().now())
        let user = try await Oracle.ask("clerk", ["verify", identity.publicKeyPEM], input: token)
        #expect(user == "user_abc")
    }

    @Test func clerksClientUnderstandsTheStandIn() async throws {
        try await withMarket { market in
            market.clerk.addUser(id: "user_abc", publicMetadata: ["role": "editor"])
            let answer = try await Oracle.ask("clerk", ["metadata", market.clerkURL, "user_abc"])
            #expect(answer == #"{"plan": "paid", "role": "editor"}"#)
        }
    }

}
