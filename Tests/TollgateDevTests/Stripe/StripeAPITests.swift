import JSONValue
import Testing
import TollgateCore
import TollgateDev

@Suite(.timeLimit(.minutes(6)))
struct StripeAPITests {
    @Test
    func opensCheckoutSessions() async throws {
        try await withStripe { stripe, api, time in
            let made = try await api.form("/v1/checkout/sessions", upgrade)
            #expect(made.status == 200)
            let id = try #require(made.json["id"].string)
            #expect(id.hasPrefix("cs_test_"))
            #expect(made.json["url"].string == "\(stripe.url)/pay/\(id)")
            #expect(made.json["status"].string == "open")
            #expect(made.json["payment_status"].string == "unpaid")
            #expect(made.json["client_reference_id"].string == "user_1")
            #expect(made.json["metadata"] == ["userId": "user_1"])
            #expect(made.json["amount_total"].integer == 2_900)
            #expect(made.json["created"].integer == time.now().seconds)
            #expect(made.header("Request-Id")?.hasPrefix("req_") == true)

            let read = try await api.get("/v1/checkout/sessions/\(id)")
            #expect(read.json == made.json)
        }
    }

    /// Each is the good form with this added, and answered with 400.
    @Test(arguments: [
        ("surprise=1", "parameter_unknown", "surprise"),
        ("line_items[0][colour]=red", "parameter_unknown", "line_items[0][colour]"),
        ("payment_intent_data[metadata][a]=b", "parameter_unknown", "payment_intent_data"),
        ("a[=1", "parameter_unknown", "a["),
        ("mode=subscription", "parameter_invalid", "mode"),
        ("line_items[2][price]=price_b&line_items[2][quantity]=1", "parameter_invalid", "line_items"),
        ("line_items[1][price]=price_b", "parameter_missing", "line_items[1][quantity]"),
        (
            "line_items[1][price]=price_b&line_items[1][quantity]=0", "parameter_invalid_integer",
            "line_items[1][quantity]"
        ),
        ("line_items[1][price]=prod_b&line_items[1][quantity]=1", "resource_missing", "line_items[1][price]"),
        ("customer=cus_unknown", "resource_missing", "customer"),
        ("customer_email=", "parameter_invalid_empty", "customer_email"),
        ("allow_promotion_codes=yes", nil, "allow_promotion_codes"),
        ("ui_mode=embedded", nil, "ui_mode"),
        ("expires_at=1764199799", nil, "expires_at"),
        ("metadata[\(String(repeating: "k", count: 41))]=v", nil, "metadata[\(String(repeating: "k", count: 41))]"),
        ("locale=%zz", nil, nil),
    ])
    func refusesParameters(_ form: String, code: String?, parameter: String?) async throws {
        try await withStripe { stripe, api, _ in
            let answer = try await api.form("/v1/checkout/sessions", "\(upgrade)&\(form)")
            #expect(answer.status == 400)
            let error = answer.json["error"]
            #expect(error["type"].string == "invalid_request_error")
            #expect(error["code"].string == code)
            #expect(error["param"].string == parameter)
            #expect(error["message"].string?.isEmpty == false)
            #expect(answer.header("Request-Id") != nil)
            #expect(stripe.checkoutSessions.isEmpty)
        }
    }

    @Test(arguments: ["mode", "line_items", "success_url"])
    func wantsWhatIsRequired(_ name: String) async throws {
        try await withStripe { _, api, _ in
            let form = upgrade.split(separator: "&").filter { !$0.hasPrefix(name) }.joined(separator: "&")
            let answer = try await api.form("/v1/checkout/sessions", form)
            #expect(answer.status == 400)
            #expect(answer.json["error"]["code"].string == "parameter_missing")
            #expect(answer.json["error"]["param"].string == name)
        }
    }

    @Test(arguments: ["javascript:alert(1)", "http://", "http://a%0d%0aX-Header: b", "http:// a"])
    func refusesURLs(_ url: String) async throws {
        try await withStripe { stripe, api, _ in
            stripe.addCustomer("cus_1")
            let answer = try await api.form("/v1/billing_portal/sessions", "customer=cus_1&return_url=\(url)")
            #expect(answer.status == 400)
            #expect(answer.json["error"]["code"].string == "url_invalid")
        }
    }

    @Test
    func wantsKeyVersionAndForm() async throws {
        try await withStripe(configure: { $0.secretKey = "sk_test_1" }) { _, api, _ in
            func answer(_ change: (inout APIClient) -> Void) async throws -> APIClient.Answer {
                var client = api
                change(&client)
                return try await client.form("/v1/checkout/sessions", upgrade)
            }
            let keyless = try await answer { $0.headers["Authorization"] = nil }
            #expect(keyless.status == 401)
            #expect(keyless.json["error"]["type"].string == "invalid_request_error")
            for key in ["Bearer sk_live_1", "Bearer sk_test_2", "Basic sk_test_1", "sk_test_1"] {
                let wrong = try await answer { $0.headers["Authorization"] = key }
                #expect(wrong.status == 401, "\(key)")
            }
            let versionless = try await answer { $0.headers["Stripe-Version"] = nil }
            #expect(versionless.status == 400)
            let old = try await answer { $0.headers["Stripe-Version"] = "2024-06-20" }
            #expect(old.status == 400)
            let json = try await api.send("POST", "/v1/checkout/sessions", body: "{}", type: "application/json")
            #expect(json.status == 400)
        }
    }

    @Test
    func missesWhatIsNotThere() async throws {
        try await withStripe { _, api, _ in
            for path in ["checkout/sessions/cs_x", "subscriptions/sub_x", "customers/cus_x"] {
                let answer = try await api.get("/v1/\(path)")
                #expect(answer.status == 404)
                #expect(answer.json["error"]["code"].string == "resource_missing")
            }
            let portal = try await api.form("/v1/billing_portal/sessions", "customer=cus_x")
            #expect(portal.status == 400)
            #expect(portal.json["error"]["param"].string == "customer")
            let route = try await api.get("/v1/nothing")
            #expect(route.status == 404)
            #expect(route.json["error"]["type"].string == "invalid_request_error")
            let query = try await api.get("/v1/customers/cus_x?surprise=1")
            #expect(query.json["error"]["code"].string == "parameter_unknown")
        }
    }

    @Test
    func sameKeyGetsTheSameAnswer() async throws {
        try await withStripe { stripe, api, _ in
            let path = "/v1/checkout/sessions"
            let invalid = try await api.form(path, "mode=subscription", key: "k")
            #expect(invalid.status == 400, "what is wrong with parameters is not remembered")
            let first = try await api.form(path, upgrade, key: "k")
            let again = try await api.form(path, upgrade, key: "k")
            #expect(first.status == 200)
            #expect(again.body == first.body)
            #expect(first.header("Idempotent-Replayed") == nil)
            #expect(again.header("Idempotent-Replayed") == "true")
            #expect(stripe.checkoutSessions.count == 1)

            let other = try await api.form(path, "\(upgrade)&locale=de", key: "k")
            #expect(other.status == 400)
            #expect(other.json["error"]["type"].string == "idempotency_error")
            let elsewhere = try await api.form("/v1/billing_portal/sessions", "customer=cus_1", key: "k")
            #expect(elsewhere.json["error"]["type"].string == "idempotency_error")
            let long = try await api.form(path, upgrade, key: String(repeating: "k", count: 256))
            #expect(long.status == 400)
        }
    }

    @Test
    func sameKeyGetsTheSameError() async throws {
        try await withStripe { stripe, api, _ in
            let path = "/v1/billing_portal/sessions"
            let first = try await api.form(path, "customer=cus_1", key: "k")
            #expect(first.status == 400)
            stripe.addCustomer("cus_1")
            let again = try await api.form(path, "customer=cus_1", key: "k")
            #expect(again.status == 400)
            let fresh = try await api.form(path, "customer=cus_1", key: "another")
            #expect(fresh.status == 200)
        }
    }

    @Test
    func failsOnDemand() async throws {
        try await withStripe { stripe, api, _ in
            stripe.addCustomer("cus_1")
            stripe.faults.inject(.status(503), times: 2, pathPrefix: "/v1/subscriptions")
            stripe.faults.inject(.status(429, retryAfterSeconds: 3))
            stripe.faults.inject(.html(502))
            stripe.faults.inject(.stall(.milliseconds(20)))
            let limited = try await api.get("/v1/customers/cus_1")
            #expect(limited.status == 429)
            #expect(limited.header("Retry-After") == "3")
            #expect(limited.json["error"]["code"].string == "rate_limit")
            let proxy = try await api.get("/v1/customers/cus_1")
            #expect(proxy.status == 502)
            #expect(proxy.body.hasPrefix("<!doctype html>"))
            let (late, duration) = try await timed { try await api.get("/v1/customers/cus_1") }
            #expect(late.status == 200)
            #expect(duration >= .milliseconds(20))
            for status in [503, 503, 404] {
                let answer = try await api.get("/v1/subscriptions/sub_1")
                #expect(answer.status == status)
            }
        }
    }

    private func timed<Result>(_ body: () async throws -> Result) async throws -> (Result, Duration) {
        let start = ContinuousClock.now
        let result = try await body()
        return (result, ContinuousClock.now - start)
    }
}
