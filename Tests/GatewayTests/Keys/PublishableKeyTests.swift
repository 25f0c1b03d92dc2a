import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateDev
import TollgateServer

/// The key of platform credentials stands in public code: it makes calls, and manages nothing.
@Suite struct PublishableKeyTests {
    private static func publishableKey(_ gateways: KeyedGateways) async throws -> String {
        try #require(try await gateways.send("POST", "/generate-credentials").member("apiKey"))
    }

    @Test func itMakesCallsAndManagesNothing() async throws {
        try await withKeyedGateways { gateways in
            let key = try await Self.publishableKey(gateways)
            for (method, path) in [("POST", "/verify-auth"), ("GET", "/authorize"), ("GET", "/usage")] {
                let answer = try await gateways.call(key, method, path)
                #expect(answer.status == 200, "\(path)")
            }
            let credentials = [
                ("POST", "/generate-credentials"), ("GET", "/get-credentials"),
                ("POST", "/generate-credentials/rotate"),
                ("POST", "/generate-credentials/revoke"),
            ]
            for (method, path) in credentials {
                let answer = try await gateways.call(key, method, path)
                #expect(answer.status == 403, "\(path)")
                #expect(answer.member("code") == "scope-missing")
                #expect(
                    answer.member("message") == "A publishable key manages nothing. Send a session token, or a secret "
                        + "key with the scope 'credentials'.")
                #expect(answer.headers["www-authenticate"] == #"Bearer error="insufficient_scope""#)
            }
            for (method, path) in [("POST", "/keys"), ("GET", "/keys"), ("GET", "/account")] {
                let answer = try await gateways.call(key, method, path, body: #"{"name":"CI"}"#)
                #expect(answer.status == 403, "\(path)")
                #expect(answer.member("code") == "session-token-required")
            }
            let usage = try await gateways.send("GET", "/usage")
            #expect(usage.body.contains(#""count":3,"#), "a refused call costs nothing")
        }
    }

    @Test func itPassesRoutesWhateverScopesTheyAskFor() async throws {
        let yaml = "routes: [{name: orders, path: /orders, scopes: [orders:write]}]\n"
        try await withLocalGateway(yaml: yaml) { gateway in
            let authorization = [("Authorization", "Bearer \(try gateway.token("user_abc"))")]
            let made = try await HTTP.send("POST", "/generate-credentials", port: gateway.port, headers: authorization)
            let headers = [
                ("X-API-Key", try #require(made.member("apiKey"))), ("X-Forwarded-Method", "GET"),
                ("X-Forwarded-Uri", "/orders"),
            ]
            let answer = try await HTTP.get("/authorize", port: gateway.port, headers: headers)
            #expect(answer.status == 200)
        }
    }

    @Test func credentialsTakeASecretKeyWithTheirScope() async throws {
        try await withKeyedGateways { gateways in
            let managing = try await gateways.makeKey(#""name":"m","scopes":["credentials"]"#).text
            let all = try await gateways.makeKey().text
            let others = try await gateways.makeKey(#""name":"o","scopes":["billing","read"]"#).text
            for (method, path) in [
                ("POST", "/generate-credentials"), ("POST", "/generate-credentials/rotate"),
                ("GET", "/get-credentials"),
                ("POST", "/generate-credentials/revoke"),
            ] {
                let refused = try await gateways.call(others, method, path)
                #expect(refused.status == 403 && refused.member("code") == "scope-missing", "\(path)")
                let answer = try await gateways.call(managing, method, path)
                #expect(answer.status == 200, "\(path): \(answer.body)")
            }
            let answer = try await gateways.call(all, "POST", "/generate-credentials")
            #expect(answer.status == 200)
        }
    }

    @Test func itIsRotatedAndTheKeySoFarWorksUntilTheOverlapEnds() async throws {
        try await withKeyedGateways(2) { gateways in
            let first = try await Self.publishableKey(gateways)
            // Both remember whose it is.
            for gateway in 0...1 { _ = try await gateways.call(first, "GET", "/usage", on: gateway) }
            let rotated = try await gateways.send(
                "POST", "/generate-credentials/rotate", body: #"{"overlapSeconds":60}"#)
            #expect(rotated.status == 200)
            let second = try #require(rotated.member("apiKey"))
            #expect(second != first && second.hasPrefix("pk_live_"))
            #expect(rotated.member("previousUntil") == "2025-11-26T23:01:00Z")
            #expect(rotated.body.contains(#""usage":{"count":1,"#), "it costs no call")
            let account = try await gateways.send("GET", "/account", on: 1)
            #expect(account.body.contains(#""apiKey":"\#(second)","previousUntil":"2025-11-26T23:01:00Z""#))
            for key in [first, second] {
                let during = try await gateways.call(key, "GET", "/usage", on: 1)
                #expect(during.status == 200)
            }
            gateways.time.advance(seconds: 60)
            let over = try await gateways.call(first, "GET", "/usage", on: 1)
            #expect(over.status == 401 && over.member("code") == "key-expired")
            let after = try await gateways.call(second, "GET", "/usage", on: 1)
            #expect(after.status == 200)
            let shown = try await gateways.send("GET", "/get-credentials", on: 1)
            #expect(shown.member("apiKey") == second)
            let standard = try await gateways.send("POST", "/generate-credentials/rotate")
            #expect(standard.member("previousUntil") == "2025-11-27T23:01:00Z", "a day, unless told otherwise")
        }
    }

    @Test func itIsRevokedOnEveryGatewayAtOnceAndCanBeMadeAnew() async throws {
        try await withKeyedGateways(2) { gateways in
            let key = try await Self.publishableKey(gateways)
            for gateway in 0...1 { _ = try await gateways.call(key, on: gateway) }
            for _ in 1...2 {
                let revoked = try await gateways.send("POST", "/generate-credentials/revoke")
                #expect(revoked.status == 200)
                #expect(revoked.body.hasPrefix(#"{"revoked":true,"usage":{"#))
            }
            for (gateway, body) in [(1, nil), (0, nil), (1, "a body")] {
                let after = try await gateways.call(key, on: gateway, body: body)
                #expect(after.status == 401)
                #expect(after.member("code") == "key-revoked")
            }
            let none = try await gateways.send("GET", "/get-credentials", on: 1)
            #expect(none.status == 404 && none.member("code") == "credentials-not-generated")
            let account = try await gateways.send("GET", "/account")
            #expect(account.body.contains(#""credentials":null"#))
            let next = try await gateways.send("POST", "/generate-credentials", on: 1)
            let second = try #require(next.member("apiKey"), "\(next.body)")
            #expect(second != key)
            let works = try await gateways.call(second, "GET", "/usage")
            #expect(works.status == 200)
            let still = try await gateways.call(key, "GET", "/usage")
            #expect(still.status == 401)
        }
    }

    /// A user without calls left must be able to end a key.
    @Test func endingItNeedsNoCallThatIsLeft() async throws {
        try await withKeyedGateways { gateways in
            _ = try await Self.publishableKey(gateways)
            for _ in 1...4 { _ = try await gateways.send("POST", "/verify-auth") }
            let refused = try await gateways.send("POST", "/verify-auth")
            #expect(refused.status == 403)
            for path in ["/generate-credentials/rotate", "/generate-credentials/revoke"] {
                let answer = try await gateways.send("POST", path)
                #expect(answer.status == 200, "\(path): \(answer.body)")
            }
        }
    }

    @Test func whatIsWrongIsToldHow() async throws {
        try await withKeyedGateways { gateways in
            for path in ["/generate-credentials/rotate", "/generate-credentials/revoke"] {
                let none = try await gateways.send("POST", path)
                #expect(none.status == 404 && none.member("code") == "credentials-not-generated")
                let wrongMethod = try await gateways.send("GET", path)
                #expect(wrongMethod.status == 405 && wrongMethod.headers["allow"] == "POST, OPTIONS")
                let anonymous = try await HTTP.send("POST", path, port: gateways.ports[0].publicPort)
                #expect(anonymous.status == 401)
            }
            _ = try await Self.publishableKey(gateways)
            let answer = try await gateways.send(
                "POST", "/generate-credentials/rotate", body: #"{"overlapSeconds":2592001}"#)
            #expect(answer.status == 400)
            #expect(answer.member("message") == "'overlapSeconds' takes a whole number from 0 to 2592000.")
        }
    }

    @Test func theLogTellsWhoRotatedAndRevokedIt() async throws {
        try await withFleet { fleet in
            let worker = fleet.workers[0]
            let headers = [("Authorization", "Bearer \(try fleet.token("user_abc"))")]
            var keys: [String] = []
            for path in ["/generate-credentials", "/generate-credentials/rotate", "/generate-credentials/revoke"] {
                let answer = try await HTTP.send("POST", path, port: worker.port, headers: headers)
                #expect(answer.status == 200, "\(path): \(answer.body)")
                keys += answer.member("apiKey").map { [$0] } ?? []
            }
            await worker.process.terminate()
            var lines: [String] = []
            for await line in worker.process.lines { lines.append(line) }
            for what in ["publishable key rotated", "publishable key revoked"] {
                #expect(lines.contains { $0.contains(what) && $0.contains("user_abc") }, "\(what)")
            }
            #expect(keys.count == 2 && !lines.contains { line in keys.contains { line.contains($0.suffix(40)) } })
        }
    }
}
