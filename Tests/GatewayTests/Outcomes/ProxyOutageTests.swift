import TestSupport
import Testing
import TollgateDev

/// Proxied requests while Redis is away: refused, or passed within bounds, as their route says.
@Suite(.timeLimit(.minutes(6)), .tags(.measuresTime)) struct ProxyOutageTests {
    private static let limit = Duration.milliseconds(300)

    /// Routes that stay open and close, to one upstream.
    private static func run(
        plans: String = RouteFile.generousPlans,
        _ body: @escaping @Sendable (KeyedGateways, ScriptedUpstream) async throws -> Void
    ) async throws {
        let upstream = try await ScriptedUpstream.answering([.say(Wire.answer("ok"))])
        let file = RouteFile.text(
            plans: plans, RouteFile.route("/open", to: upstream.port, "onRedisDown: open"),
            RouteFile.route("/closed", to: upstream.port))
        try await withRoutedGateways(file: file) { gateways in try await body(gateways, upstream) }
        try await upstream.close()
    }

    @Test(arguments: ["suspended", "killed"]) func closedRoutesSayWhenToComeAgain(how: String) async throws {
        try await Self.run { gateways, upstream in
            let before = try await gateways.send("GET", "/closed")
            #expect(before.status == 200)
            let heard = upstream.received
            if how == "suspended" { gateways.redis.suspend() } else { await gateways.redis.kill() }
            for call in 1...5 {
                let (answer, duration) = try await timed { try await gateways.send("GET", "/closed") }
                #expect(answer.status == 503)
                #expect(answer.member("code") == "service-unavailable")
                #expect(answer.headers["retry-after"] == "1")
                #expect(duration < Self.limit, "call \(call): \(duration)")
            }
            #expect(upstream.received == heard, "no upstream was asked")
            if how == "suspended" { gateways.redis.resume() } else { try await gateways.redis.restart() }
            try await eventually("full service again", within: .seconds(2)) {
                try await gateways.send("GET", "/closed").status == 200
            }
        }
    }

    @Test(arguments: ["suspended", "killed"]) func openRoutesLetKnownCallersPassWithinBounds(how: String) async throws {
        let plans = "plans:\n  free: { quota: 1000, ratePerMinute: 10 }\n  paid: { quota: 1000, ratePerMinute: 500 }\n"
        try await Self.run(plans: plans) { gateways, upstream in
            let key = try await gateways.makeKey(of: "user_known").text
            let unseen = try await gateways.makeKey(of: "user_unseen").text
            let before = try await gateways.call(key, "GET", "/open")
            #expect(before.status == 200 && before.headers["x-tollgate-degraded"] == nil)
            // A minute of which nothing is used.
            gateways.time.advance(seconds: 60)
            if how == "suspended" { gateways.redis.suspend() } else { await gateways.redis.kill() }

            var passed = 0
            for number in 1...15 {
                let (answer, duration) = try await timed { try await gateways.call(key, "GET", "/open") }
                #expect(duration < Self.limit, "call \(number): \(duration)")
                #expect(answer.status == (number <= 10 ? 200 : 503), "call \(number)")
                if answer.status == 200 {
                    passed += 1
                    #expect(answer.headers["x-tollgate-degraded"] == "redis-unavailable")
                    #expect(answer.headers["ratelimit"] == nil, "it is not known")
                }
            }
            #expect(passed == 10)
            let other = try await gateways.send("GET", "/open", as: "user_other", plan: "paid")
            #expect(other.status == 200, "each user has a count, and a signed token is known")
            for unknown in [unseen, try KeyedGateways.inventedKey()] {
                let answer = try await gateways.call(unknown, "GET", "/open")
                #expect(answer.status == 503, "this worker has not seen the key admitted")
                #expect(answer.headers["retry-after"] == "1")
            }
            let mistyped = try await gateways.call(KeyedGateways.mistyped(key), "GET", "/open")
            #expect(mistyped.status == 401)
            let metrics = try await gateways.metrics()
            #expect(metrics.contains("tollgate_degraded_admissions_total 11\n"))
            gateways.time.advance(seconds: 60)
            let nextMinute = try await gateways.call(key, "GET", "/open")
            #expect(nextMinute.status == 200)

            if how == "suspended" { gateways.redis.resume() } else { try await gateways.redis.restart() }
            try await eventually("full service again", within: .seconds(2)) {
                let answer = try await gateways.send("GET", "/open", as: "user_back")
                return answer.status == 200 && answer.headers["x-tollgate-degraded"] == nil
                    && answer.headers["ratelimit"] != nil
            }
        }
    }

    /// A key that was good and is not any more must not come back with an outage.
    @Test func aKeyThatWasRefusedIsNotKnown() async throws {
        try await Self.run { gateways, _ in
            let key = try await gateways.makeKey()
            let before = try await gateways.call(key.text, "GET", "/open")
            #expect(before.status == 200)
            let revoked = try await gateways.send("DELETE", "/keys/\(key.id)")
            #expect(revoked.status == 200)
            let refused = try await gateways.call(key.text, "GET", "/open")
            #expect(refused.status == 401)
            gateways.redis.suspend()
            let away = try await gateways.call(key.text, "GET", "/open")
            #expect(away.status == 503)
            gateways.redis.resume()
        }
    }
}
