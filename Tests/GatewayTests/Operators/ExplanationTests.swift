import JSONValue
import TestSupport
import Testing
import TollgateCore
import TollgateDev

/// Of each refusal that there is, an operator is told why: on a route, and of a session token.
@Suite(.timeLimit(.minutes(6))) struct ExplanationTests {
    private static let routes = """
        plans:
          free: { quota: 9, ratePerMinute: 100 }
          paid: { quota: 500 }
        routes:
          - { name: orders, path: /orders, upstreams: "http://127.0.0.1:9", ratePerMinute: 2, cost: 2 }
          - { name: keysonly, path: /k, upstreams: "http://127.0.0.1:9", auth: key, scopes: [write] }
          - { name: tokensonly, path: /t, upstreams: "http://127.0.0.1:9", auth: jwt }
          - { name: open, path: /open, upstreams: "http://127.0.0.1:9", auth: none }
        """

    @Test func theRateOfARouteIsExplained() async throws {
        try await withMarket(plans: Self.routes) { market in
            func explained(_ route: String) async throws -> JSON {
                try await market.admin("GET", "users/user_abc/explain?route=\(route)").json
            }
            for _ in 1...2 { #expect(try await market.call("GET", "/orders", "user_abc").status == 502) }
            #expect(try await market.call("GET", "/orders", "user_abc").status == 429)
            let full = try await explained("orders")
            #expect(full["nextCall"]["code"].string == "rate-limit-exceeded")
            #expect(full["nextCall"]["message"].string?.contains("2 of 2 on the route 'orders'") == true)
            #expect(full["routeMinute"]["count"].integer == 2 && full["routeMinute"]["limit"].integer == 2)
            #expect(full["nextCall"]["passesAt"].string?.hasSuffix(":00Z") == true)
            let elsewhere = try await market.admin("GET", "users/user_abc/explain").json
            #expect(elsewhere["nextCall"]["isAdmitted"].bool == true && elsewhere["routeMinute"] == .null)
            #expect(try await explained("open")["nextCall"]["message"].string?.contains("no credential") == true)
            let unknown = try await market.admin("GET", "users/user_abc/explain?route=none")
            #expect(unknown.status == 400 && unknown.body.contains("orders, keysonly, tokensonly, open"))
            let (lines, status) = try await market.run(
                ["users", "explain", "user_abc", "--route", "orders"], environment: market.config)
            #expect(status == .exited(0))
            // It goes by the real time, in whose minute there was no call.
            #expect(lines.first?.contains("0 of 2 on the route 'orders'") == true, "\(lines)")
        }
    }

    /// What a call to the route costs counts, and what it asks for.
    @Test func theCostOfARouteCounts() async throws {
        try await withMarket(plans: Self.routes) { market in
            for _ in 1...8 { #expect(try await market.verify("user_abc").status == 200) }
            let route = try await market.admin("GET", "users/user_abc/explain?route=orders").json["nextCall"]
            #expect(route["code"].string == "quota-exceeded")
            let other = try await market.admin("GET", "users/user_abc/explain").json["nextCall"]
            #expect(other["isAdmitted"].bool == true)
            let made = try await market.call("POST", "/keys", "user_abc", body: #"{"name":"r","scopes":["read"]}"#)
            let key = try #require(made.member("key"), "\(made.body)")
            func explained(_ route: String) async throws -> JSON {
                try await market.admin("POST", "keys/explain", #"{"key":"\#(key)","route":"\#(route)"}"#).json[
                    "nextCall"]
            }
            #expect(try await explained("keysonly")["code"].string == "scope-missing")
            #expect(try await explained("tokensonly")["code"].string == "credential-not-accepted")
            #expect(try await explained("open")["isAdmitted"].bool == true)
        }
    }

    @Test func refusalsOfSessionTokensAreExplained() async throws {
        try await withMarket(plans: Self.routes) { market in
            func explained(_ token: String, _ more: String = "") async throws -> JSON {
                try await market.admin("POST", "sessions/explain", #"{"token":"\#(token)"\#(more)}"#).json
            }
            let good = try market.token("user_abc", plan: "free")
            let admitted = try await explained(good)
            #expect(admitted["userId"].string == "user_abc" && admitted["claimedPlan"].string == "free")
            #expect(admitted["nextCall"]["isAdmitted"].bool == true, "\(admitted)")
            #expect(
                try await explained(good, #","route":"keysonly""#)["nextCall"]["code"].string
                    == "credential-not-accepted")
            #expect(try await explained("nonsense")["nextCall"]["code"].string == "token-invalid")
            var parts = good.split(separator: ".")
            let other = try market.token("user_def")
            parts[2] = try #require(other.split(separator: ".").last)
            #expect(
                try await explained(parts.joined(separator: "."))["nextCall"]["code"].string
                    == "token-invalid-signature")
            let short = try market.token("user_abc", lifetimeSeconds: 60)
            market.time.advance(seconds: 120)
            let expired = try await explained(short)
            #expect(expired["nextCall"]["code"].string == "token-expired" && expired["userId"] == .null)
            #expect(expired["nextCall"]["message"].string?.hasPrefix("It is refused with 401: ") == true)
            _ = try await market.admin("POST", "users/user_abc/block", #"{"reason":"abuse"}"#)
            let blocked = try await explained(try market.token("user_abc"))
            #expect(blocked["nextCall"]["code"].string == "user-blocked" && blocked["userId"].string == "user_abc")
            #expect(try await market.admin("POST", "sessions/explain", "{}").status == 400)
            let wrongDoor = try await market.admin("POST", "keys/explain", #"{"key":"\#(good)"}"#)
            #expect(wrongDoor.status == 400 && wrongDoor.body.contains("sessions explain"), "\(wrongDoor.body)")
            // The command goes by the real time, for which all of these are over.
            let (lines, status) = try await market.run(["sessions", "explain", good], environment: market.config)
            #expect(status == .exited(0) && lines.last?.contains("401") == true, "\(lines)")
        }
    }
}

extension Market {
    /// The setting that names the file with plans and routes.
    fileprivate var config: [String: String] { ["TOLLGATE_CONFIG": directory + "/tollgate.yaml"] }
}
