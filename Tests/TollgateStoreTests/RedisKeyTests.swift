import TestSupport
import Testing
import TollgateCore
@testable import TollgateStore

/// The table of keys, as the reference has it and as the program goes by it.
@Suite struct RedisKeyTests {
    @Test func referenceHasTheSameTable() throws {
        let documented = try ReferencePage("Reference/RedisKeys").text.split(separator: "\n")
            .filter { $0.hasPrefix("| `") }.map(String.init)
        let written = RedisKey.Pattern.allCases.map(\.markdownRow)
        for row in written where !documented.contains(row) { Issue.record("the reference lacks this row:\n\(row)") }
        #expect(documented == written)
    }

    @Test func everyPatternHasItsRow() {
        #expect(RedisKey.Pattern.rows.map(\.pattern) == RedisKey.Pattern.allCases)
    }

    /// What a name is made from and what it is known by are one pattern.
    @Test func namesAreMadeAndKnownByTheSamePattern() {
        for pattern in RedisKey.Pattern.allCases where pattern != .readinessProbe {
            let places = pattern.template.count { $0 == "{" || $0 == "<" }
            let values = Array(["user_abc", "2", "3"].prefix(places))
            let padded = values + ["", "", ""]
            let key = RedisKey(pattern, padded[0], padded[1], padded[2])
            #expect(places <= 3)
            #expect(key.text == Self.filled(pattern.template, values))
            #expect(RedisKey.Pattern(of: key.text) == pattern)
        }
    }

    private static func filled(_ template: String, _ values: [String]) -> String {
        var values = values[...]
        return template.replacing(#/\{[^}]*\}|<[^>]*>/#) { place in
            place.output.hasPrefix("{") ? "{\(values.removeFirst())}" : values.removeFirst()
        }
    }

    @Test func everyKeyIsKnown() throws {
        let user = try #require(UserID("user_abc|1:2@x.y"))
        let day = CalendarDay(year: 2026, month: 11, day: 28)
        let time = UnixTime(seconds: 1_795_860_000)
        let window = RateWindow(containing: time)
        let hash = String(repeating: "ab", count: 32)
        let keys: [(RedisKey, String)] =
            [
                (.usage(user), "usage:{userId}"), (.usage(user, inTenDaysOf: day), "usage:{userId}:<ten days>"),
                (.reservations(user), "reservations:{userId}"),
                (.idempotency(user, key: "order 7:answers"), "idempotency:{userId}:{key}"),
                (.keys(of: user), "keys:{userId}"), (.rateLimit(user, window), "ratelimit:{userId}:<minute>"),
                (.rateLimit(user, route: "hello", window), "ratelimit:{userId}:<route>:<minute>"),
                (.subscription(user), "subscription:{userId}"),
                (.subscriptions(of: user), "subscriptions:{userId}"), (.booked(user), "booked:{userId}"),
                (.clerkTurn(user), "subscription:{userId}:clerk"),
                (.platformID(of: user), "user:{userId}:platformId"), (.apiKey(of: user), "user:{userId}:apiKey"),
                (.previousAPIKey(of: user), "user:{userId}:previousApiKey"),
                (.apiKey(sha256: hash), "apikey:{sha256 of the key}"),
                (.ticket(of: user, sha256: hash), "ticket:{userId}:{sha256 of the ticket}"),
                (.platformUser("plt_1"), "platform:{platformId}:userId"),
                (.customerUser(customerID: "cus_1"), "customer:{customerId}:userId"),
                (.webhook(eventID: "evt_1"), "webhook:stripe:{eventId}"),
                (.worker("1f"), "worker:{id}"), (.workers, "workers"),
                (.topUsers(on: day), "topusers:{day}"), (.waitingWebhooks, "webhooks:waiting"),
            ]
            + [RedisKey.keyChanges(of: user, inMinuteOf: time), .keyChanges(of: user, onDayOf: time)].map {
                ($0, "keys:{userId}:changes:<minute or day>")
            }
        for (key, template) in keys {
            #expect(RedisKey.Pattern(of: key.text)?.template == template, "\(key)")
            #expect(key.pattern.template == template, "\(key)")
        }
        let madeByScripts = [
            ("idempotency:{user_abc}:answers", "idempotency:{userId}:answers"),
            ("idempotency:{user_abc}", "idempotency:{userId}"), ("keys:{user_abc}:ended", "keys:{userId}:ended"),
            ("key:{user_abc}:{key_0123}", "key:{userId}:{keyId}"),
            ("worker:{readiness probe}", "worker:{readiness probe}"),
            ("webhook:stripe:{evt_1}", "webhook:stripe:{eventId}"),
        ]
        for (name, template) in madeByScripts { #expect(RedisKey.Pattern(of: name)?.template == template, "\(name)") }
    }

    @Test(arguments: [
        "", "usage", "usage:", "usage:{}", "usage:{a", "usage:a}", "usage:{a}x", "usage:{a}:", "usage:{a}:1:2",
        "workers:1",
        "session:1", "ratelimit:{a}", "{usage:{a}}", "usage:{a}}", "USAGE:{a}", "key:{a}:b", "webhook:{a}",
        "worker:{{a}}",
    ])
    func strangersAreNot(name: String) {
        #expect(RedisKey.Pattern(of: name) == nil)
    }
}
