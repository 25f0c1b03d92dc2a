import Hiredis
import JSONValue
import RedisClient
import Synchronization
import TestSupport
import Testing
import TollgateCore
import TollgateServer
import TollgateStore

/// What the operator is told of, by workers as in production.
@Suite(.timeLimit(.minutes(3))) struct AlertTests {
    static let secret = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    private static let plans = """
        plans:
          free: { quota: 10, ratePerMinute: 1000 }
          quiet: { quota: 10, alerts: [] }
          early: { quota: 3, alerts: [1] }
        """

    static func settings(_ url: String) -> [String: String] {
        Fleet.patience.merging([
            "TOLLGATE_ALERT_URL": url, "TOLLGATE_ALERT_SECRET": secret, "TOLLGATE_ALERT_ALLOW_PRIVATE": "true",
        ]) { $1 }
    }

    /// `user percent` of a message about a quota.
    static func line(_ message: AlertInbox.Message) -> String {
        let data = message.json["data"]
        return "\(data["user"].string ?? "-") \(data["percent"].integer ?? -1)"
    }

    /// What the library of Standard Webhooks says of messages: how many are good.
    static func judge(_ messages: [AlertInbox.Message]) async throws -> String {
        let lines = messages.map { message in
            let json: JSON = ["headers": JSON(message.headers.mapValues(JSON.string)), "body": .string(message.body)]
            return json.text + "\n"
        }
        return try await Oracle.ask("webhooks", [secret], input: lines.joined())
    }

    @Test func eachThresholdIsToldOnceAndSigned() async throws {
        try await AlertInbox.with { inbox, url in
            try await withFleet(plans: Self.plans, settings: Self.settings(url)) { fleet in
                let worker = fleet.workers[0]
                for (user, plan, calls) in [("user_a", "free", 12), ("user_b", "quiet", 10), ("user_c", "early", 2)] {
                    let token = try fleet.token(user, plan: plan)
                    for _ in 1...calls { _ = try await HTTP.verify(token, port: worker.port) }
                }
                try await eventually("all are told") { inbox.messages.count >= 4 }
                let messages = inbox.messages
                #expect(messages.map(Self.line).sorted() == ["user_a 100", "user_a 50", "user_a 80", "user_c 1"])
                #expect(try await Self.judge(messages) == "4")
                let first = try #require(messages.first { Self.line($0) == "user_a 80" })
                let data = first.json["data"]
                #expect(first.json["type"].string == "quota.threshold" && first.json["timestamp"].string != nil)
                #expect(data["used"].integer == 8 && data["limit"].integer == 10 && data["plan"].string == "free")
                #expect(data["period"].string?.hasSuffix("-01") == true)
                let line = #"tollgate_alerts_total{channel="webhook",result="sent",type="quota.threshold"} 4"#
                try await eventually("all are counted") {
                    try await HTTP.get("/metrics", port: worker.adminPort).body.contains(line)
                }
                try await eventually("all are delivered") { try await Self.count("delivered", worker) == 4 }
            }
        }
    }

    @Test func whatIsNotTakenIsSentAgain() async throws {
        try await AlertInbox.with(answering: { _, count in .status(count == 1 ? 500 : 200) }) { inbox, url in
            try await withFleet(plans: Self.plans, settings: Self.settings(url)) { fleet in
                let token = try fleet.token("user_c", plan: "early")
                _ = try await HTTP.verify(token, port: fleet.workers[0].port)
                try await eventually("it comes again") { inbox.messages.count == 2 }
                let messages = inbox.messages
                #expect(Set(messages.map(\.id)).count == 1)
                #expect(messages[0].body == messages[1].body)
                #expect(try await Self.judge(messages) == "2")
                try await eventually("it is delivered") {
                    try await Self.count("delivered", fleet.workers[0]) == 1
                }
                #expect(try await Self.count("pending", fleet.workers[0]) == 0)
            }
        }
    }

    @Test func whatIsGivenUpIsReplayed() async throws {
        let accepts = Acceptance()
        try await AlertInbox.with(answering: { _, _ in .status(accepts.isOn ? 200 : 410) }) { inbox, url in
            try await withFleet(plans: Self.plans, settings: Self.settings(url)) { fleet in
                let worker = fleet.workers[0]
                _ = try await HTTP.verify(try fleet.token("user_c", plan: "early"), port: worker.port)
                try await eventually("it is given up") { try await Self.count("dead", worker) == 1 }
                let id = try #require(inbox.messages.first?.id)
                let listed = try await HTTP.get("/admin/v1/alerts?state=dead", port: worker.adminPort).body
                #expect(listed.contains(id) && listed.contains("410") && listed.contains("user_c"), "\(listed)")
                let unknown = try await HTTP.send("POST", "/admin/v1/alerts/msg_0/replay", port: worker.adminPort)
                #expect(unknown.status == 404 && unknown.member("code") == "alert-not-found")
                accepts.turnOn()
                let replayed = try await HTTP.send("POST", "/admin/v1/alerts/\(id)/replay", port: worker.adminPort)
                #expect(replayed.status == 200, "\(replayed.body)")
                try await eventually("it is delivered") { try await Self.count("delivered", worker) == 1 }
                #expect(inbox.messages.map(\.id) == [id, id])
                let again = try await HTTP.send("POST", "/admin/v1/alerts/\(id)/replay", port: worker.adminPort)
                #expect(again.status == 404, "it is not dead any more")
            }
        }
    }

    /// Whether the receiver takes what it is sent.
    private final class Acceptance: Sendable {
        private let value = Atomic(false)

        var isOn: Bool { value.load(ordering: .relaxed) }
        func turnOn() { value.store(true, ordering: .relaxed) }
    }

    private static func count(_ state: String, _ worker: Worker) async throws -> Int64? {
        let answer = try await HTTP.get("/admin/v1/alerts?state=\(state)", port: worker.adminPort)
        return JSON(parsing: answer.body.utf8)?["counts"][state].integer
    }

    @Test func aKeyThatEndsSoonIsToldOnce() async throws {
        try await AlertInbox.with { inbox, url in
            try await withFleet(plans: Self.plans, settings: Self.settings(url)) { fleet in
                let worker = fleet.workers[0]
                let headers = [("Authorization", "Bearer \(try fleet.token("user_a"))")]
                var ids: [String: String] = [:]
                for (name, days) in [("soon", 6), ("later", 8), ("revoked", 3)] {
                    let body = #"{"name":"\#(name)","expiresInDays":\#(days)}"#
                    let answer = try await HTTP.send("POST", "/keys", port: worker.port, headers: headers, body: body)
                    ids[name] = answer.member("id")
                }
                _ = try await HTTP.send("DELETE", "/keys/\(ids["revoked"] ?? "")", port: worker.port, headers: headers)
                try await withRedisClient(fleet.redis.patientConfiguration) { redis in
                    for _ in 1...2 {
                        try await eventually("it is swept") {
                            try await redis.send("HEXISTS alerts:sweep ranAt").integer == 1
                        }
                        _ = try await redis.send("HDEL alerts:sweep ranAt")
                    }
                    try await eventually("it is told") { inbox.messages.count == 1 }
                    try await eventually("it is swept again") {
                        try await redis.send("HEXISTS alerts:sweep ranAt").integer == 1
                    }
                    try await eventually("nothing waits") { try await Self.count("pending", worker) == 0 }
                }
                let message = try #require(inbox.messages.first)
                #expect(inbox.messages.count == 1 && message.json["type"].string == "key.expiring")
                #expect(message.json["data"]["key"].string == ids["soon"], "\(message.body)")
                #expect(message.json["data"]["name"].string == "soon")
            }
        }
    }

    @Test func aPaymentThatFailedIsToldOnceForEachTry() async throws {
        try await withMarket(settings: Self.settings("https://hooks.example.com")) { market in
            try await market.buy("user_abc")
            let subscription = try #require(market.subscription(of: "user_abc"))
            for (id, attempt, owner) in [
                ("evt_a", 1, subscription["id"]), ("evt_a", 1, subscription["id"]), ("evt_b", 1, subscription["id"]),
                ("evt_c", 2, subscription["id"]), ("evt_d", 1, "sub_of_others"),
            ] {
                let invoice: JSON = [
                    "id": "in_1", "object": "invoice", "customer": subscription["customer"],
                    "attempt_count": .integer(attempt), "parent": ["subscription_details": ["subscription": owner]],
                ]
                var event = Market.event("invoice.payment_failed", invoice, created: market.time.now())
                event["id"] = .string(id)
                let answer = try await market.deliver(event)
                #expect(answer.status == 200, "\(answer.body)")
            }
            let listed = try await market.admin("GET", "alerts?state=pending")
            let alerts = listed.json["alerts"].elements ?? []
            #expect(alerts.count == 2, "\(listed.body)")
            let told = Set(alerts.map { $0["message"]["data"] })
            #expect(
                told
                    == Set(
                        [1, 2].map { attempt -> JSON in
                            [
                                "user": "user_abc", "customer": subscription["customer"],
                                "subscription": subscription["id"], "invoice": "in_1", "attempt": .integer(attempt),
                            ]
                        }))
        }
    }

    /// A worker that has admitted calls and died before it has told of them.
    @Test func theSweepFindsWhatADeadWorkerHasNotTold() async throws {
        try await AlertInbox.with { inbox, url in
            try await withFleet(plans: Self.plans, settings: Self.settings(url)) { fleet in
                let time = SystemClock()
                try await withRedisClient(fleet.redis.patientConfiguration) { redis in
                    let plans = try PlanTable([Plan(name: "free", quota: 10, ratePerMinute: 1000)])
                    let store = RedisAdmissionStore(client: redis, plans: plans)
                    let user = try #require(UserID("user_lost"))
                    let principal = Principal(userID: user, claimedPlan: "free")
                    for _ in 1...9 {
                        _ = try await store.admit(AdmissionRequest(principal: principal, time: time.now()))
                    }
                    try await RedisUserIndex(client: redis).add([user], at: time.now())
                    // It was seen a while ago, and has not said goodbye.
                    _ = try await redis.send("ZADD workers \(time.now().seconds - 10) deadbeef0000")
                    try await eventually("both are told") { inbox.messages.count == 2 }
                    #expect(inbox.messages.map(Self.line).sorted() == ["user_lost 50", "user_lost 80"])
                    // What is told is known, by whatever worker it is found.
                    _ = try await redis.send("DEL alerted:{user_lost}")
                    _ = try await redis.send("HDEL alerts:sweep ranAt")
                    try await eventually("it is swept again") {
                        try await redis.send("EXISTS alerted:{user_lost}").integer == 1
                    }
                    #expect(inbox.messages.count == 2)
                }
            }
        }
    }
}
