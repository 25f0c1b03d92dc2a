import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
@testable import TollgateStore

/// What alerts take of Redis, as the guide about capacity says.
@Suite struct AlertMemoryTests {
    /// 2025-11-26T23:00:00Z
    private static let time = UnixTime(seconds: 1_764_198_000)
    private static let count = 2_000

    @Test func alertsTakeWhatTheGuideSays() async throws {
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                let outbox = RedisAlertOutbox(.webhook, client: client)
                let outboxes = RedisAlertOutboxes([.webhook], client: client)
                // As long as Clerk's.
                let users = try (0..<Self.count).map { number in
                    try #require(
                        UserID("user_" + String(String(1_000_000_000 + number).reversed()) + "abcdefghijklmnopq"))
                }
                for start in stride(from: 0, to: Self.count, by: 200) {
                    let alerts = users[start..<start + 200].map { user in
                        Alert.quotaThreshold(
                            .init(
                                user: user, plan: "free", period: BillingPeriod(containing: Self.time), percent: 80,
                                used: 8_000, limit: 10_000))
                    }
                    #expect(try await outboxes.add(alerts, at: Self.time) == 200)
                }
                let waiting = try await Self.bytes(["alerts:{webhook}", "alerts:{webhook}:due"], client)
                let mark = try await client.send("MEMORY USAGE alerted:{\(users[0])} SAMPLES 0").integer ?? 0
                while true {
                    let claim = try await outbox.claim(200, at: Self.time)
                    guard !claim.alerts.isEmpty else { break }
                    for alert in claim.alerts {
                        try await outbox.settle(alert, claimedUntil: claim.leaseEnd, .isDelivered, at: Self.time)
                    }
                }
                let delivered = try await Self.bytes(["alerts:{webhook}", "alerts:{webhook}:delivered"], client)
                #expect((500...700).contains(waiting) && (280...400).contains(delivered) && (120...190).contains(mark))
                print("bytes: \(waiting) on its way, \(delivered) delivered, \(mark) of its user")
            }
        }
    }

    /// Of all `keys` together, for each alert.
    private static func bytes(_ keys: [String], _ client: RedisClient) async throws -> Int {
        var sum = 0
        for key in keys { sum += Int(try await client.send("MEMORY USAGE \(key) SAMPLES 0").integer ?? 0) }
        return sum / count
    }
}
