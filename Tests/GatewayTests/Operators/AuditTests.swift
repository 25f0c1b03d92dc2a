import Hiredis
import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateDev

/// Each change leaves an entry, whatever happens in between.
@Suite(.timeLimit(.minutes(6))) struct AuditTests {
    private func entries(_ market: Market) async throws -> [String] {
        (try await market.admin("GET", "audit").json["entries"].elements ?? []).map {
            "\($0["action"].string ?? "?") \($0["subject"].string ?? "-") \($0["state"].string ?? "?")"
        }
    }

    @Test func changesAreDoneInTheAudit() async throws {
        try await withMarket { market in
            _ = try await market.admin("POST", "users/user_abc/block", #"{"reason":"x"}"#)
            _ = try await market.admin("POST", "tokens", #"{"name":"ann","role":"viewer"}"#)
            #expect(try await entries(market) == ["tokens.create ann done", "users.block user_abc done"])
            let own = try await market.admin("GET", "audit?subject=user_abc&limit=1").json
            #expect(own["entries"].elements?.compactMap { $0["action"].string } == ["users.block"])
            let rest = try await market.admin("GET", "audit?limit=1").json
            #expect(rest["entries"].elements?.count == 1 && rest["next"].string != nil)
        }
    }

    /// What is refused is no change.
    @Test func refusalsLeaveNoEntry() async throws {
        try await withMarket { market in
            for (method, path, body) in [
                ("POST", "users/user_abc/grants", #"{"calls":-1}"#), ("DELETE", "users/user_abc/grants/none", nil),
                ("DELETE", "users/user_abc/keys/key_0123456789abcdef", nil), ("DELETE", "tokens/none", nil),
                ("POST", "users/user_abc/reset", nil), ("POST", "alerts/none/replay", nil),
                ("POST", "events/evt_none/replay", nil),
            ] as [(String, String, String?)] {
                let answer = try await market.admin(method, path, body)
                #expect((400..<500).contains(answer.status), "\(method) \(path): \(answer.body)")
            }
            #expect(try await entries(market) == [])
        }
    }

    /// A record that cannot be written: it may be done for all that is known.
    @Test func whatBreaksOffStaysBegun() async throws {
        try await withMarket { market in
            try await withRedisClient(market.redis.configuration) { redis in
                _ = try await redis.send("SET subscription:{user_abc} damaged")
            }
            let answer = try await market.admin("POST", "users/user_abc/block", #"{"reason":"x"}"#)
            #expect(answer.status == 503 && answer.member("message")?.contains("look before you repeat it") == true)
            #expect(try await entries(market) == ["users.block user_abc begun"])
            let (lines, status) = try await market.run(["audit"])
            #expect(status == .exited(0) && lines.last?.hasSuffix("(begun)") == true, "\(lines)")
        }
    }

    /// Where no entry can be written, nothing is changed.
    @Test func withoutAnEntryNothingIsChanged() async throws {
        try await withMarket { market in
            try await withRedisClient(market.redis.configuration) { redis in
                _ = try await redis.send("SET audit damaged")
                for (method, path, body) in [
                    ("POST", "users/user_abc/block", #"{"reason":"x"}"#),
                    ("POST", "users/user_abc/grants", #"{"calls":1}"#),
                    ("PUT", "users/user_abc/limits", #"{"quota":1}"#),
                    ("POST", "users/user_abc/keys", #"{"name":"x"}"#),
                    ("POST", "tokens", #"{"name":"ann","role":"viewer"}"#),
                ] {
                    let answer = try await market.admin(method, path, body)
                    #expect(answer.status == 503, "\(path)")
                    #expect(answer.member("message")?.contains("Nothing was changed") == true, "\(answer.body)")
                }
                let keys = try await redis.send("KEYS *user_abc*").array?.compactMap(\.string)
                #expect(keys == [])
                let tokens = try await redis.send("EXISTS admin:tokens").integer
                #expect(tokens == 0)
            }
            #expect(try await market.verify("user_abc").status == 200)
        }
    }
}
