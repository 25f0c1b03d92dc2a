import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDataPlane
import TollgateDev
import TollgateServer

/// `/keys`, word for word.
@Suite struct KeyEndpointTests {
    @Test func aKeyIsMadeShownOnceAndListed() async throws {
        try await withKeyedGateways { gateways in
            let body = #"{"name":"CI \"x\"","mode":"test","scopes":["read","orders:write","read"],"expiresInDays":30}"#
            let made = try await gateways.send("POST", "/keys", body: body)
            #expect(made.status == 201)
            #expect(made.headers["content-type"] == "application/json")
            #expect(made.headers["cache-control"] == "no-store")
            #expect(made.headers["ratelimit"]?.hasPrefix(#""minute";r=99;t=60, "month";r=5;"#) == true)
            let (id, key) = (try #require(made.member("id")), try #require(made.member("key")))
            #expect(id.wholeMatch(of: /key_[0-9a-z]{16}/) != nil)
            #expect(key.hasPrefix("sk_test_"))
            let members =
                #""name":"CI \"x\"","mode":"test","scopes":["read","orders:write"],"allowedIPs":null,"#
                + #""createdAt":"2025-11-26T23:00:00Z","expiresAt":"2025-12-26T23:00:00Z""#
            #expect(made.body == #"{"id":"\#(id)","key":"\#(key)",\#(members)}"#)

            let unused = try await gateways.send("GET", "/keys")
            #expect(unused.status == 200)
            #expect(
                unused.body == #"{"keys":[{"id":"\#(id)",\#(members),"lastUsedAt":null,"previousUntil":null,"#
                    + #""previousLastUsedAt":null}]}"#)
            _ = try await gateways.call(key)
            let used = try await gateways.send("GET", "/keys")
            #expect(used.body.contains(#""lastUsedAt":"2025-11-26T23:00:00Z""#))
            #expect(!used.body.contains("hash") && !used.body.contains(key))

            let plain = try await gateways.send("POST", "/keys", body: #"{"name":"plain","expiresAt":null}"#)
            #expect(plain.body.contains(#""name":"plain","mode":"live","scopes":["*"],"allowedIPs":null,"#))
            #expect(plain.body.hasSuffix(#""expiresAt":null}"#))
            let others = try await gateways.send("GET", "/keys", as: "user_def")
            #expect(others.body == #"{"keys":[]}"#)
        }
    }

    @Test func aKeyIsRevokedAndRotated() async throws {
        try await withKeyedGateways { gateways in
            let key = try await gateways.makeKey()
            let rotated = try await gateways.send("POST", "/keys/\(key.id)/rotate", body: #"{"overlapSeconds":3600}"#)
            #expect(rotated.status == 200)
            let second = try #require(rotated.member("key"))
            #expect(second != key.text)
            #expect(
                rotated.body == #"{"id":"\#(key.id)","key":"\#(second)","name":"CI","mode":"live","scopes":["*"],"#
                    + #""allowedIPs":null,"#
                    + #""createdAt":"2025-11-26T23:00:00Z","expiresAt":null,"previousUntil":"2025-11-27T00:00:00Z"}"#)
            let listed = try await gateways.send("GET", "/keys")
            #expect(listed.body.contains(#""previousUntil":"2025-11-27T00:00:00Z","previousLastUsedAt":null"#))

            let withoutOverlap = try await gateways.send(
                "POST", "/keys/\(key.id)/rotate", body: #"{"overlapSeconds":0}"#)
            #expect(withoutOverlap.status == 200)
            let standard = try await gateways.send("POST", "/keys/\(try await gateways.makeKey().id)/rotate")
            #expect(standard.member("previousUntil") == "2025-11-27T23:00:00Z", "a day, unless told otherwise")

            for _ in 1...2 {
                let revoked = try await gateways.send("DELETE", "/keys/\(key.id)")
                #expect(revoked.status == 200)
                #expect(revoked.body == #"{"revoked":true,"id":"\#(key.id)"}"#)
            }
            let late = try await gateways.send("POST", "/keys/\(key.id)/rotate")
            #expect(late.status == 404)
            #expect(late.member("code") == "key-not-found")
        }
    }

    @Test func keysOfOthersAndKeysThatAreNoneAreNotFound() async throws {
        try await withKeyedGateways { gateways in
            let key = try await gateways.makeKey()
            for id in [key.id, "key_0123456789abcdef", "key_x", "%7B%7D"] {
                for (method, path) in [("DELETE", "/keys/\(id)"), ("POST", "/keys/\(id)/rotate")] {
                    let answer = try await gateways.send(method, path, as: "user_def")
                    #expect(answer.status == 404, "\(method) \(path)")
                    #expect(answer.member("error") == "Key not found")
                    #expect(answer.member("code") == "key-not-found")
                    #expect(answer.headers["ratelimit"] != nil, "it took its place in the minute")
                }
            }
            let still = try await gateways.call(key.text)
            #expect(still.status == 200)
        }
    }

    @Test func anExpiredKeyIsNotRotated() async throws {
        try await withKeyedGateways { gateways in
            let key = try await gateways.makeKey(#""name":"CI","expiresAt":"2025-11-26T23:00:10.000Z""#)
            gateways.time.advance(seconds: 10)
            let answer = try await gateways.send("POST", "/keys/\(key.id)/rotate")
            #expect(answer.status == 409)
            #expect(answer.member("error") == "Key expired")
            #expect(answer.member("code") == "key-expired")
        }
    }

    private static let wrongBodies: [(body: String?, message: String)] = [
        (nil, "The body is not a JSON object"),
        ("[]", "The body is not a JSON object"),
        ("{", "The body is not a JSON object"),
        ("{}", "'name' is missing"),
        (#"{"name":null}"#, "'name' is missing"),
        (#"{"name":7}"#, "'name' takes a string"),
        (#"{"name":""}"#, "'name' takes 1 to 100 bytes on one line"),
        (#"{"name":"a\nb"}"#, "'name' takes 1 to 100 bytes on one line"),
        (#"{"name":"a","mod":"live"}"#, "Unknown member 'mod'"),
        (#"{"name":"a","mode":"prod"}"#, #"'mode' takes "live" or "test""#),
        (#"{"name":"a","scopes":"read"}"#, "'scopes' takes a list of strings"),
        (#"{"name":"a","scopes":["read","Write all"]}"#, "'scopes[1]' is no scope"),
        (#"{"name":"a","allowedIPs":"10.0.0.1"}"#, "'allowedIPs' takes a list of strings"),
        (#"{"name":"a","allowedIPs":[]}"#, "'allowedIPs' takes 1 to 16 addresses and networks, not 0"),
        (#"{"name":"a","allowedIPs":["10.0.0.1","10.0.0.1/8"]}"#, "'allowedIPs[1]' is no address or network"),
        (#"{"name":"a","allowedIPs":["example.com"]}"#, "'allowedIPs[0]' is no address or network"),
        (#"{"name":"a","allowedIPs":["10.0.0.1:80"]}"#, "'allowedIPs[0]' is no address or network"),
        (#"{"name":"a","allowedIPs":["2001:db8::/129"]}"#, "'allowedIPs[0]' is no address or network"),
        (addresses(17), "'allowedIPs' takes 1 to 16 addresses and networks, not 17"),
        (addresses(257), "'allowedIPs' takes 1 to 16 addresses and networks, not 257"),
        (#"{"name":"a","expiresAt":"tomorrow"}"#, "'expiresAt' takes a moment of the calendar"),
        (#"{"name":"a","expiresAt":"0000-01-00T00:00:00Z"}"#, "'expiresAt' takes a moment of the calendar"),
        (#"{"name":"a","expiresAt":"2029-02-29T00:00:00Z"}"#, "'expiresAt' takes a moment of the calendar"),
        (#"{"name":"a","expiresAt":"9999-12-31T23:59:59-23:59"}"#, "'expiresAt' takes a moment of the calendar"),
        (#"{"name":"a","expiresAt":"0000-01-01T00:00:00Z"}"#, "'expiresAt' takes a moment that is still to come"),
        (#"{"name":"a","expiresInDays":-9223372036854775808}"#, "'expiresInDays' takes a whole number from 1 to 3650"),
        (#"{"name":"a","expiresInDays":1e300}"#, "'expiresInDays' takes a whole number from 1 to 3650"),
        (#"{"name":"a","expiresInDays":1e999}"#, "'expiresInDays' takes a whole number from 1 to 3650"),
        (String(repeating: "[", count: 60_000), "The body is not a JSON object"),
        (nested(500), "'name' takes a string"),
        (#"{"name":"a","expiresAt":"2025-11-26T23:00:00Z"}"#, "'expiresAt' takes a moment that is still to come"),
        (#"{"name":"a","expiresInDays":0}"#, "'expiresInDays' takes a whole number from 1 to 3650"),
        (#"{"name":"a","expiresInDays":1,"expiresAt":"2030-01-01T00:00:00Z"}"#, "not both"),
    ]

    private static func addresses(_ count: Int) -> String {
        let texts = Array(repeating: #""::1""#, count: count).joined(separator: ",")
        return #"{"name":"a","allowedIPs":[\#(texts)]}"#
    }

    private static func nested(_ depth: Int) -> String {
        #"{"name":"# + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "}"
    }

    @Test(arguments: wrongBodies)
    func bodiesThatAreWrongAreToldHow(body: String?, message: String) async throws {
        try await withKeyedGateways { gateways in
            let answer = try await gateways.send("POST", "/keys", body: body)
            #expect(answer.status == 400)
            #expect(answer.member("code") == "bad-request")
            #expect(answer.member("message")?.contains(message) == true, "\(answer.body)")
            #expect(answer.headers["ratelimit"] == nil, "nothing was charged")
        }
    }

    /// The last moment of the calendar, in each way to write it.
    @Test(arguments: ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z", "9999-12-31T18:59:59-05:00"])
    func aKeyMayLastAsLongAsTheCalendar(moment: String) async throws {
        try await withKeyedGateways { gateways in
            let made = try await gateways.send("POST", "/keys", body: #"{"name":"a","expiresAt":"\#(moment)"}"#)
            #expect(made.status == 201 && made.member("expiresAt") == "9999-12-31T23:59:59Z", "\(made.body)")
            let called = try await gateways.call(try #require(made.member("key")))
            #expect(called.status == 200)
        }
    }

    @Test func overlapsThatAreWrongAreToldHow() async throws {
        try await withKeyedGateways { gateways in
            let key = try await gateways.makeKey()
            for body in [#"{"overlapSeconds":-1}"#, #"{"overlapSeconds":2592001}"#, #"{"overlapSeconds":"1"}"#] {
                let answer = try await gateways.send("POST", "/keys/\(key.id)/rotate", body: body)
                #expect(answer.status == 400)
                #expect(answer.member("message") == "'overlapSeconds' takes a whole number from 0 to 2592000.")
            }
            let longest = try await gateways.send(
                "POST", "/keys/\(key.id)/rotate", body: #"{"overlapSeconds":2592000}"#)
            #expect(longest.status == 200)
        }
    }

    @Test func thereMayBeFifty() async throws {
        try await withKeyedGateways { gateways in
            var last = ""
            for _ in 1...KeyLimits.maximumCount { last = try await gateways.makeKey().id }
            let answer = try await gateways.send("POST", "/keys", body: #"{"name":"one more"}"#)
            #expect(answer.status == 409)
            #expect(answer.member("error") == "Too many keys")
            #expect(answer.member("code") == "too-many-keys")
            _ = try await gateways.send("DELETE", "/keys/\(last)")
            _ = try await gateways.makeKey()
        }
    }

    /// A loop of making and revoking costs no call, and may not fill Redis or its log all the same.
    @Test func keysAreChangedSixtyTimesAMinuteOnAllGatewaysTogether() async throws {
        try await withKeyedGateways(2) { gateways in
            let key = try await gateways.makeKey()
            for change in 2...KeyChangeLimits.standard.perMinute {
                let answer = try await gateways.send(
                    "POST", "/keys/\(key.id)/rotate", plan: "paid", body: #"{"overlapSeconds":0}"#, on: change % 2)
                #expect(answer.status == 200, "\(answer.body)")
            }
            let refused = [
                ("/keys", #"{"name":"CI"}"#), ("/keys/\(key.id)/rotate", "{}"), ("/generate-credentials", "{}"),
            ]
            for (path, body) in refused {
                let answer = try await gateways.send("POST", path, plan: "paid", body: body, on: 1)
                #expect(answer.status == 429)
                #expect(answer.member("code") == "too-many-key-changes")
                #expect(answer.headers["retry-after"] == "60")
                #expect(answer.headers["ratelimit"] != nil)
            }
            let revoked = try await gateways.send("DELETE", "/keys/\(key.id)", plan: "paid")
            #expect(revoked.status == 200, "who has lost a key gets rid of it now")
            let others = try await gateways.send("POST", "/keys", as: "user_def", body: #"{"name":"CI"}"#)
            #expect(others.status == 201)
            gateways.time.advance(seconds: 60)
            _ = try await gateways.makeKey()
        }
    }

    @Test func onlySessionTokensManageKeys() async throws {
        try await withKeyedGateways { gateways in
            let key = try await gateways.makeKey()
            let requests = [
                ("POST", "/keys"), ("GET", "/keys"), ("DELETE", "/keys/\(key.id)"), ("POST", "/keys/\(key.id)/rotate"),
            ]
            for (method, path) in requests {
                let answer = try await gateways.call(key.text, method, path)
                #expect(answer.status == 403, "\(method) \(path)")
                #expect(answer.member("code") == "session-token-required")
                let anonymous = try await HTTP.send(method, path, port: gateways.ports[0].publicPort)
                #expect(anonymous.status == 401, "\(method) \(path)")
            }
            let listed = try await gateways.send("GET", "/keys")
            #expect(listed.body.contains(key.id))
        }
    }

    /// A user without calls left can revoke a key; one without requests left waits for the next minute.
    @Test func keysCostNoCallsAndTakeTheirPlaceInTheMinute() async throws {
        try await withKeyedGateways { gateways in
            let key = try await gateways.makeKey()
            for _ in 1...5 { _ = try await gateways.call(key.text) }
            let revoked = try await gateways.send("DELETE", "/keys/\(key.id)")
            #expect(revoked.status == 200)
            for _ in 1...93 { _ = try await gateways.send("GET", "/keys") }
            let refused = try await gateways.send("GET", "/keys")
            #expect(refused.status == 429)
            #expect(refused.member("code") == "rate-limit-exceeded")
        }
    }

    /// A finder of the key could keep the minute full, and so keep the key alive.
    @Test func aFullMinuteKeepsNobodyFromEndingAKey() async throws {
        try await withKeyedGateways { gateways in
            let key = try await gateways.makeKey(plan: "paid")
            let made = try await gateways.send("POST", "/generate-credentials", plan: "paid")
            let publishable = try #require(made.member("apiKey"))
            for _ in 1...98 { _ = try await gateways.call(key.text) }
            let full = try await gateways.send("GET", "/keys", plan: "paid")
            #expect(full.status == 429)
            let rotated = try await gateways.send("POST", "/keys/\(key.id)/rotate", plan: "paid")
            #expect(rotated.status == 429)
            for (method, path) in [("DELETE", "/keys/\(key.id)"), ("POST", "/generate-credentials/revoke")] {
                let ended = try await gateways.send(method, path, plan: "paid")
                #expect(ended.status == 200, "\(path): \(ended.body)")
            }
            for secret in [key.text, publishable] {
                let answer = try await gateways.call(secret)
                #expect(answer.member("code") == "key-revoked")
            }
        }
    }

    @Test func wrongMethodsAndPathsAreRefused() async throws {
        try await withKeyedGateways { gateways in
            for (method, path, allowed) in [
                ("PUT", "/keys", "POST, GET, HEAD, OPTIONS"), ("GET", "/keys/key_x", "DELETE, OPTIONS"),
                ("GET", "/keys/key_x/rotate", "POST, OPTIONS"), ("POST", "/usage", "GET, HEAD, OPTIONS"),
            ] {
                let answer = try await gateways.send(method, path)
                #expect(answer.status == 405, "\(method) \(path)")
                #expect(answer.headers["allow"] == allowed, "\(method) \(path)")
            }
            for path in ["/keys/a/b", "/keys/a/rotate/b", "/key", "/keysx"] {
                let answer = try await gateways.send("POST", path)
                #expect(answer.status == 404, "\(path)")
                #expect(answer.member("code") == "not-found")
            }
        }
    }

    @Test func theLogTellsWhoDidWhatAndNoSecret() async throws {
        try await withFleet { fleet in
            let worker = fleet.workers[0]
            let headers = [("Authorization", "Bearer \(try fleet.token("user_abc"))")]
            let made = try await HTTP.send(
                "POST", "/keys", port: worker.port, headers: headers, body: #"{"name":"CI"}"#)
            let (id, key) = (try #require(made.member("id")), try #require(made.member("key")))
            let rotated = try await HTTP.send("POST", "/keys/\(id)/rotate", port: worker.port, headers: headers)
            let next = try #require(rotated.member("key"))
            _ = try await HTTP.send("DELETE", "/keys/\(id)", port: worker.port, headers: headers)
            _ = try await HTTP.send("POST", "/verify-auth", port: worker.port, headers: [("X-API-Key", key)])
            await worker.process.terminate()

            var lines: [String] = []
            for await line in worker.process.lines { lines.append(line) }
            for what in ["key created", "key rotated", "key revoked"] {
                let line = lines.first { $0.contains(what) } ?? ""
                #expect(line.contains(id) && line.contains("user_abc"), "\(what)")
            }
            for secret in [key, next] {
                #expect(!lines.contains { $0.contains(secret.dropFirst(40).prefix(20)) })
            }
        }
    }
}
