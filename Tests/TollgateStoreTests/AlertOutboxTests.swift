import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
@testable import TollgateStore

@Suite struct AlertOutboxTests {
    /// 2025-11-26T23:00:00Z
    private static let time = UnixTime(seconds: 1_764_198_000)

    private func withOutbox(_ body: (RedisAlertOutbox, RedisClient) async throws -> Void) async throws {
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                try await body(RedisAlertOutbox(.webhook, client: client), client)
            }
        }
    }

    private static func alert(_ user: String, _ percent: Int = 50) throws -> Alert {
        .quotaThreshold(
            .init(
                user: try #require(UserID(user)), plan: "free", period: BillingPeriod(containing: time),
                percent: percent, used: 5, limit: 10))
    }

    @Test func anAlertIsTakenOnceAndMarked() async throws {
        try await withOutbox { outbox, client in
            let alerts = [try Self.alert("user_a"), try Self.alert("user_a", 80), try Self.alert("user_b")]
            let outboxes = RedisAlertOutboxes([.webhook], client: client)
            #expect(try await outboxes.add(alerts, at: Self.time) == 3)
            #expect(try await outboxes.add(alerts, at: Self.time.adding(seconds: 1)) == 0)
            #expect(try await outbox.pendingCount() == 3)
            let users = try ["user_a", "user_b", "user_c"].map { try #require(UserID($0)) }
            let marks = try await outboxes.marks(of: users)
            #expect(marks == [Set(alerts.prefix(2).map(\.messageID)), [alerts[2].messageID], []])
            let ttl = try await client.send("TTL alerted:{user_a}").integer ?? 0
            #expect((34 * 86_400...35 * 86_400).contains(ttl))
        }
    }

    /// What becomes of an alert on one channel is no matter of the other.
    @Test func eachChannelHasADeliveryOfItsOwn() async throws {
        try await withOutbox { webhooks, client in
            let mails = RedisAlertOutbox(.email, client: client)
            let outboxes = RedisAlertOutboxes([.webhook, .email], client: client)
            let alert = try Self.alert("user_a")
            #expect(try await outboxes.add([alert], at: Self.time) == 1)
            let (hook, mail) = (
                try await webhooks.claim(10, at: Self.time), try await mails.claim(10, at: Self.time)
            )
            #expect(hook.alerts == mail.alerts && hook.alerts.map(\.id) == [alert.messageID])
            try await webhooks.settle(hook.alerts[0], claimedUntil: hook.leaseEnd, .isDelivered, at: Self.time)
            try await mails.settle(mail.alerts[0], claimedUntil: mail.leaseEnd, .isDead, at: Self.time)
            #expect(!(try await webhooks.replay(alert.messageID, at: Self.time)), "it is delivered there")
            #expect(try await mails.replay(alert.messageID, at: Self.time))
            #expect(try await webhooks.pendingCount() == 0)
            #expect(try await mails.claim(10, at: Self.time).alerts.map(\.body) == hook.alerts.map(\.body))
            #expect(try await outboxes.add([alert], at: Self.time) == 0, "it is known in both")
        }
    }

    @Test func aClaimIsOnesOwnUntilItsLeaseIsOver() async throws {
        try await withOutbox { outbox, _ in
            _ = try await outbox.add([try Self.alert("user_a"), try Self.alert("user_b")], at: Self.time)
            let first = try await outbox.claim(1, at: Self.time)
            let second = try await outbox.claim(10, at: Self.time)
            #expect(first.alerts.count == 1 && second.alerts.count == 1 && first.alerts != second.alerts)
            #expect(try await outbox.claim(10, at: Self.time.adding(seconds: 59)).alerts.isEmpty)
            let later = Self.time.adding(seconds: 61)
            let third = try await outbox.claim(10, at: later)
            #expect(third.alerts.count == 2, "whoever had them is dead")
            // It was not: it comes too late.
            let late = try await outbox.settle(
                first.alerts[0], claimedUntil: first.leaseEnd, .isDelivered, at: later)
            #expect(!late)
            #expect(try await outbox.pendingCount() == 2)
            for alert in third.alerts {
                let isOurs = try await outbox.settle(alert, claimedUntil: third.leaseEnd, .isDelivered, at: later)
                #expect(isOurs)
            }
            #expect(try await outbox.pendingCount() == 0)
            #expect(try await outbox.add([try Self.alert("user_a")], at: later) == 0, "it is known")
            let delivered = try await outbox.list(.delivered, maximumCount: 10)
            #expect(delivered.count == 2 && delivered.alerts.allSatisfy { $0.alert.body.isEmpty })
        }
    }

    @Test func retriesWaitAndTheDeadAreReplayed() async throws {
        try await withOutbox { outbox, _ in
            _ = try await outbox.add([try Self.alert("user_a")], at: Self.time)
            var claim = try await outbox.claim(10, at: Self.time)
            var alert = try #require(claim.alerts.first)
            let next = alert.delivery.ended(.failed(reason: "it said no", waitSeconds: nil), at: Self.time, jitter: 0.5)
            try await outbox.settle(alert, claimedUntil: claim.leaseEnd, next, at: Self.time)
            #expect(try await outbox.claim(10, at: Self.time.adding(seconds: 4)).alerts.isEmpty)
            claim = try await outbox.claim(10, at: Self.time.adding(seconds: 5))
            alert = try #require(claim.alerts.first)
            #expect(alert.delivery == AlertDelivery(since: Self.time, attempts: 1, failure: "it said no"))
            #expect(!(try await outbox.replay(alert.id, at: Self.time)), "it is not dead")
            try await outbox.settle(alert, claimedUntil: claim.leaseEnd, .isDead, at: Self.time)
            #expect(try await outbox.list(.dead, maximumCount: 10).alerts.map(\.alert) == [alert])
            let day = Self.time.adding(seconds: 2 * 86_400)
            #expect(try await outbox.claim(10, at: day).alerts.isEmpty)
            #expect(try await outbox.add([try Self.alert("user_a")], at: day) == 0, "it is known")
            #expect(try await outbox.replayAll(at: day) == 1)
            #expect(try await outbox.list(.dead, maximumCount: 10).count == 0)
            let again = try #require(try await outbox.claim(10, at: day).alerts.first)
            #expect(again.body == alert.body && again.delivery.since == day)
        }
    }

    /// What is delivered is forgotten in time, and makes room before that.
    @Test func theDeliveredAreForgotten() async throws {
        try await withOutbox { outbox, client in
            for number in 0..<3 {
                let time = Self.time.adding(seconds: Int64(number) * 2 * 86_400)
                _ = try await outbox.add([try Self.alert("user_\(number)")], at: time)
                let claim = try await outbox.claim(10, at: time)
                let alert = try #require(claim.alerts.first)
                try await outbox.settle(alert, claimedUntil: claim.leaseEnd, .isDelivered, at: time)
            }
            #expect(try await outbox.list(.delivered, maximumCount: 10).count == 2, "the first one is 4 days old")
            #expect(try await client.send("HLEN alerts:{webhook}").integer == 2)
        }
    }

    @Test func aDeletedUserIsNotToldOf() async throws {
        try await withOutbox { outbox, client in
            let user = try #require(UserID("user_a"))
            let alerts = [try Self.alert("user_a"), try Self.alert("user_b")]
            _ = try await RedisAlertOutboxes([.webhook, .email], client: client).add(alerts, at: Self.time)
            _ = try await RedisUserData(client: client).delete(user, at: Self.time)
            let left = try await outbox.claim(10, at: Self.time).alerts
            #expect(left.map(\.user.value) == ["user_b"])
            let mails = try await RedisAlertOutbox(.email, client: client).claim(10, at: Self.time).alerts
            #expect(mails.map(\.user.value) == ["user_b"])
            #expect(try await client.send("EXISTS alerted:{user_a}").integer == 0)
        }
    }

    @Test func crossingsAreSeenInAnswersOfAdmissions() async throws {
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                let crossings = QuotaCrossings()
                let quiet = Plan(name: "quiet", quota: 4, ratePerMinute: 100, alerts: .none)
                let plans = try PlanTable([Plan(name: "free", quota: 4, ratePerMinute: 100), quiet])
                let store = RedisAdmissionStore(client: client, plans: plans, crossings: crossings)
                for (user, plan) in [("user_a", "free"), ("user_b", "quiet")] {
                    let principal = Principal(userID: try #require(UserID(user)), claimedPlan: plan)
                    let request = AdmissionRequest(principal: principal, time: Self.time)
                    _ = try await store.peek(AdmissionRequest(principal: principal, time: Self.time, cost: 4))
                    for _ in 1...5 { _ = try await store.admit(request) }
                }
                let seen = crossings.take()
                #expect(
                    seen.map { "\($0.user) \($0.percent) \($0.used) \($0.limit)" } == [
                        "user_a 50 2 4", "user_a 80 4 4", "user_a 100 4 4",
                    ])
                #expect(crossings.take().isEmpty)
                #expect(store.firstCallers.take().count == 2)
            }
        }
    }
}
