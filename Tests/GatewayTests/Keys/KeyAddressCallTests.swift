import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateDev
import TollgateServer

/// Calls with keys that may be used from some addresses only, through the public port.
@Suite struct KeyAddressCallTests {
    /// Where a key is taken: on the event loop, and by the control plane.
    private static let requests: [(String, String, String?)] = [
        ("POST", "/verify-auth", nil), ("GET", "/authorize/x", nil), ("GET", "/usage", nil), ("POST", "/tickets", nil),
        ("GET", "/get-credentials", nil),
    ]

    private static func call(
        _ gateways: KeyedGateways, _ key: String, _ method: String, _ path: String, body: String? = nil,
        forwardedFor: String? = nil, on gateway: Int = 0
    ) async throws -> HTTP.Answer {
        try await HTTP.send(
            method, path, port: gateways.ports[gateway].publicPort,
            headers: [("X-API-Key", key)] + (forwardedFor.map { [("X-Forwarded-For", $0)] } ?? []), body: body)
    }

    @Test func behindATrustedProxyTheClientsOwnAddressCounts() async throws {
        try await withKeyedGateways(2, settings: ["TOLLGATE_TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8"]) { gateways in
            let allowed = #"["203.0.113.0/24","2001:DB8::7","::ffff:198.51.100.4"]"#
            let key = try await gateways.makeKey(#""name":"CI","allowedIPs":\#(allowed)"#, plan: "paid")
            _ = try await gateways.send("POST", "/verify-auth", plan: "paid")
            let listed = try await gateways.send("GET", "/keys")
            let shown = #""allowedIPs":["203.0.113.0/24","2001:db8::7","198.51.100.4"]"#
            #expect(listed.body.contains(shown), "\(listed.body)")
            _ = try await gateways.send("POST", "/generate-credentials", plan: "paid")
            let inside = [
                "203.0.113.9", "6.6.6.6, 203.0.113.9, 10.1.1.1", "2001:db8::7", "198.51.100.4", "203.0.113.9:51000",
            ]
            // The same /64 as an allowed address is not the address; what a client says of itself does not count.
            let outside = ["203.0.114.9", "2001:db8::8", "203.0.113.9, 192.0.2.1", "unknown", nil]
            for (method, path, body) in Self.requests {
                for chain in inside {
                    let answer = try await Self.call(gateways, key.text, method, path, body: body, forwardedFor: chain)
                    #expect((200...299).contains(answer.status), "\(path) from \(chain): \(answer.body)")
                }
                for (place, chain) in outside.enumerated() {
                    let answer = try await Self.call(
                        gateways, key.text, method, path, body: body, forwardedFor: chain, on: place % 2)
                    #expect(answer.status == 403, "\(path) from \(chain ?? "-"): \(answer.body)")
                    #expect(answer.member("code") == "address-not-allowed" && answer.member("error") == "Forbidden")
                    #expect(answer.headers["ratelimit"] == nil, "its owner's limits are not told")
                }
            }
        }
    }

    @Test func aRefusedAddressCostsNothingAndARotationKeepsIt() async throws {
        try await withKeyedGateways { gateways in
            let others = try await gateways.makeKey(#""name":"CI","allowedIPs":["203.0.113.7"]"#)
            let ours = try await gateways.makeKey(#""name":"CI","allowedIPs":["203.0.113.7","127.0.0.0/8"]"#)
            let first = try await gateways.call(ours.text)
            #expect(first.status == 200)
            for body in [nil, "a body"] {
                let refused = try await gateways.call(others.text, body: body)
                #expect(refused.status == 403 && refused.member("code") == "address-not-allowed")
            }
            // No trusted proxy is set, so that nobody is told where a client is.
            let told = try await Self.call(gateways, others.text, "POST", "/verify-auth", forwardedFor: "203.0.113.7")
            #expect(told.status == 403)
            let second = try await gateways.call(ours.text)
            #expect(second.body.contains(#""count":2,"#), "\(second.body)")
            let remaining = [first, second].map { answer in
                answer.headers["ratelimit"]?.firstMatch(of: /"minute";r=([0-9]+)/).flatMap { Int($0.1) } ?? -1
            }
            #expect(remaining[0] - remaining[1] == 1, "no place in the minute either")

            let rotated = try await gateways.send("POST", "/keys/\(others.id)/rotate")
            #expect(rotated.body.contains(#""allowedIPs":["203.0.113.7"]"#))
            let again = try await gateways.call(try #require(rotated.member("key")))
            #expect(again.member("code") == "address-not-allowed")
            let metrics = try await gateways.metrics()
            #expect(metrics.contains(#"tollgate_authentication_failures_total{reason="address-not-allowed"} 4"#))
        }
    }
}
