import TestSupport
import Testing
import TollgateDev

/// What a proxied request costs Redis, and what looking costs.
@Suite(.timeLimit(.minutes(6))) struct RoundTripTests {
    @Test func oneCommandForEachRequest() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(Wire.answer("ok"))])
        let file = RouteFile.text(
            RouteFile.route("/api", to: upstream.port, "ratePerMinute: 100000, scopes: [read]"))
        try await withFleet(plans: file) { fleet in
            let port = fleet.workers[0].port
            let key = try await fleet.madeKey().text
            let ways = [[("X-API-Key", key)], try fleet.bearer()]
            for way in ways {
                let first = try await HTTP.get("/api", port: port, headers: way)
                #expect(first.status == 200, "\(first.body)")
            }
            for way in ways {
                let commands = try await RedisMonitor.commands(of: fleet.redis) {
                    for _ in 1...50 {
                        let answer = try await HTTP.get("/api", port: port, headers: way)
                        #expect(answer.status == 200)
                    }
                }
                #expect(commands.count == 50, "\(commands.filter { !$0.hasPrefix(#""EVALSHA"#) })")
                #expect(commands.allSatisfy { $0.hasPrefix(#""EVALSHA""#) })
            }
        }
        try await upstream.close()
    }

    /// A worker tells of itself every 5 s, whatever it is doing.
    @Test func whatAWorkerSendsOfItselfIsNoRequests() async throws {
        try await withFleet { fleet in
            let commands = try await RedisMonitor.commands(of: fleet.redis) {
                let monitor = try await RawClient.connect(port: fleet.redis.port)
                try await monitor.send("MONITOR\r\n")
                try await monitor.waits(for: "\"workers\"")
                try await monitor.close()
                let ready = try await HTTP.get("/readyz", port: fleet.workers[0].adminPort)
                #expect(ready.status == 200)
            }
            #expect(commands.isEmpty, "\(commands)")
        }
    }

    @Test func lookingTellsEverythingAndCostsNothing() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(Wire.answer("ok"))])
        let plans = "plans:\n  free: { quota: 7, ratePerMinute: 50 }\n"
        let file = RouteFile.text(plans: plans, RouteFile.route("/api", to: upstream.port, "cost: 3"))
        try await withRoutedGateways(2, file: file) { gateways in
            let key = try await gateways.makeKey().text
            for status in [200, 200, 403] {
                let answer = try await gateways.call(key, "GET", "/api")
                #expect(answer.status == status)
            }
            let refused = upstream.received
            for gateway in [0, 1, 0, 1] {
                let usage = try await gateways.call(key, "GET", "/usage", on: gateway)
                #expect(usage.status == 200)
                #expect(usage.body.contains(#""count":6,"limit":7,"plan":"free","periodStart":"2025-11-01""#))
                #expect(usage.body.contains(#""remaining":1}"#))
                #expect(usage.body.contains(#""rateLimit":{"limit":50,"remaining":47,"resetSeconds":60}"#))
            }
            #expect(upstream.received == refused, "and no upstream hears of it")
        }
        try await upstream.close()
    }
}
