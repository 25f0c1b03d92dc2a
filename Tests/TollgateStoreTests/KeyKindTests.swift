import Foundation
import Testing
import TollgateCore
import TollgateStore

/// The table of keys, as the README has it and as the program goes by it.
@Suite struct KeyKindTests {
    private static func rows() throws -> [Substring] {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "README.md")
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        let start = try #require(lines.firstIndex(of: "### Keys in Redis"))
        return lines[start...].dropFirst().prefix { !$0.hasPrefix("###") }.filter { $0.hasPrefix("| `") }
    }

    /// Names, value and how long each is kept.
    @Test func readmeHasTheSameTable() throws {
        var documented: Set<String> = []
        for row in try Self.rows() {
            let cells = row.split(separator: "|").map { $0.trimmingPrefix(" ") }
            let value = cells[1].hasPrefix("sorted set") ? "zset" : String(cells[1].split(separator: " ")[0])
            for name in cells[0].split(separator: "`") where name.contains(where: \.isLetter) {
                documented.insert("\(name) \(value)")
            }
        }
        #expect(documented == Set(KeyKind.all.map { "\($0.template) \($0.value.rawValue)" }))
    }

    @Test func everyKeyIsKnown() throws {
        let user = try #require(UserID("user_abc|1:2@x.y"))
        let day = CalendarDay(year: 2026, month: 11, day: 28)
        let time = UnixTime(seconds: 1_795_860_000)
        let hash = String(repeating: "ab", count: 32)
        let keys: [(String, String)] =
            [
                (Keys.usage(user), "usage:{userId}"), (Keys.usage(user, on: day), "usage:{userId}:<day>"),
                (Keys.reservations(user), "reservations:{userId}"),
                (Keys.idempotency(user, key: "order 7:answers"), "idempotency:{userId}:{key}"),
                ("idempotency:{user_abc}:answers", "idempotency:{userId}:answers"),
                ("idempotency:{user_abc}", "idempotency:{userId}"),
                (Keys.keys(of: user), "keys:{userId}"), ("keys:{user_abc}:ended", "keys:{userId}:ended"),
                ("key:{user_abc}:{key_0123}", "key:{userId}:{keyId}"),
                (Keys.rateLimit(user, RateWindow(containing: time)), "ratelimit:{userId}:<minute>"),
                (
                    Keys.rateLimit(user, route: "hello", RateWindow(containing: time)),
                    "ratelimit:{userId}:<route>:<minute>"
                ),
                (Keys.subscription(user), "subscription:{userId}"), (Keys.booked(user), "booked:{userId}"),
                (Keys.clerkTurn(user), "subscription:{userId}:clerk"),
                (Keys.apiKey(sha256: hash), "apikey:{sha256 of the key}"),
                (Keys.ticket(of: user, sha256: hash), "ticket:{userId}:{sha256 of the ticket}"),
                (Keys.platformUser("plt_1"), "platform:{platformId}:userId"),
                (Keys.worker("1f"), "worker:{id}"), (Keys.workers, "workers"),
                ("worker:{readiness probe}", "worker:{readiness probe}"),
                (Keys.topUsers(on: day), "topusers:{day}"), (Keys.waitingWebhooks, "webhooks:waiting"),
                ("webhook:stripe:{evt_1}", "webhook:stripe:{eventId}"),
            ] + Keys.keyChanges(of: user, at: time).map { ($0, "keys:{userId}:changes:<minute or day>") }
        for (key, template) in keys { #expect(KeyKind(of: key)?.template == template, "\(key)") }
    }

    @Test(arguments: [
        "", "usage", "usage:", "usage:{}", "usage:{a", "usage:a}", "usage:{a}x", "usage:{a}:", "usage:{a}:1:2",
        "workers:1",
        "session:1", "ratelimit:{a}", "{usage:{a}}", "usage:{a}}", "USAGE:{a}", "key:{a}:b", "webhook:{a}",
        "worker:{{a}}",
    ])
    func strangersAreNot(name: String) {
        #expect(KeyKind(of: name) == nil)
    }
}
