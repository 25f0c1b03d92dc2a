import JSONValue
import TestSupport
import Testing
import TollgateDev
import TollgateServer

/// Alerts by mail, by workers as in production, at a mail server that others have written.
@Suite(.timeLimit(.minutes(3))) struct MailTests {
    private static let plans = """
        plans:
          free: { quota: 10, ratePerMinute: 1000 }
          early: { quota: 3, alerts: [1] }
        """

    private static func settings(_ server: MailServer, login: String = "") -> [String: String] {
        Fleet.patience.merging([
            "TOLLGATE_ALERT_SMTP_URL":
                "smtp://\(login)127.0.0.1:\(server.port)?from=alerts@example.com&to=ops@example.com,b@example.com",
            "TOLLGATE_ALERT_ALLOW_PRIVATE": "true",
        ]) { $1 }
    }

    private static func count(_ state: String, _ worker: Worker) async throws -> Int64? {
        let answer = try await HTTP.get("/admin/v1/alerts?state=\(state)", port: worker.adminPort)
        return JSON(parsing: answer.body.utf8)?["counts"][state].integer
    }

    /// What a command of `tollgate` says, with the settings of the workers.
    private static func run(_ arguments: [String], _ fleet: Fleet) async throws -> String {
        let process = try ChildProcess.start(
            Worker.program, arguments, environment: fleet.environment, output: .lines)
        var lines: [String] = []
        for await line in process.lines { lines.append(line) }
        #expect(await process.wait() == .exited(0), "\(lines)")
        return lines.joined(separator: "\n")
    }

    @Test func twoWorkersMailEachThresholdOnce() async throws {
        try await MailServer.with(login: ("gate", "hun:ter2")) { server in
            let settings = Self.settings(server, login: "gate:hun%3Ater2@")
            try await withFleet(workers: 2, plans: Self.plans, settings: settings) { fleet in
                let token = try fleet.token("user_a")
                for call in 0..<12 { _ = try await HTTP.verify(token, port: fleet.workers[call % 2].port) }
                try await eventually("all are delivered") {
                    try await Self.count("delivered", fleet.workers[0]) == 3
                }
                let mails = server.mails
                #expect(
                    mails.map { $0.headers("Subject") }.sorted { $0[0] < $1[0] }
                        == [100, 50, 80].map { ["user_a has used \($0) % of the quota"] })
                #expect(Set(mails.flatMap { $0.headers("Message-ID") }).count == 3)
                #expect(mails.allSatisfy { $0.recipients == ["ops@example.com", "b@example.com"] })
                #expect(mails.allSatisfy { $0.json["login"].string == "gate" && $0.json["defects"].elements == [] })
                let mail = try #require(mails.first { $0.headers("Subject")[0].contains("80") })
                #expect(mail.text.contains("user_a has used 80 % of the quota of the plan free: 8 of 10 calls."))
                let line = #"tollgate_alerts_total{channel="email",result="sent",type="quota.threshold"}"#
                let metrics = try await HTTP.get("/metrics", port: fleet.workers[1].adminPort).body
                #expect(metrics.contains(line) && !metrics.contains("hun"))
            }
        }
    }

    @Test func whatIsNotTakenNowIsSentAgain() async throws {
        try await MailServer.with { server in
            try server.answer(["DATA 451 4.3.0 come back later"])
            try await withFleet(workers: 2, plans: Self.plans, settings: Self.settings(server)) { fleet in
                let worker = fleet.workers[0]
                _ = try await HTTP.verify(try fleet.token("user_c", plan: "early"), port: worker.port)
                try await eventually("it is told why") {
                    try await HTTP.get("/admin/v1/alerts?state=pending", port: worker.adminPort).body
                        .contains("it answered the message with 451 4.3.0 come back later")
                }
                try await eventually("it is delivered") { try await Self.count("delivered", worker) == 1 }
                #expect(server.mails.count == 1)
            }
        }
    }

    @Test func whatIsRefusedIsReplayed() async throws {
        try await MailServer.with { server in
            try server.answer(["RCPT 550 5.1.1 no such user"])
            try await withFleet(workers: 2, plans: Self.plans, settings: Self.settings(server)) { fleet in
                let worker = fleet.workers[0]
                _ = try await HTTP.verify(try fleet.token("user_c", plan: "early"), port: worker.port)
                try await eventually("it is given up") { try await Self.count("dead", worker) == 1 }
                #expect(server.mails.isEmpty)
                let listed = try await Self.run(["alerts", "list", "--state", "dead"], fleet)
                #expect(listed.contains("email") && listed.contains("550 5.1.1 no such user"), "\(listed)")
                let id = try #require(listed.firstMatch(of: /msg_[0-9a-f]{32}/)?.output)
                let replayed = try await Self.run(["alerts", "replay", String(id)], fleet)
                #expect(replayed == "\(id) is sent again.")
                try await eventually("it is delivered") { try await Self.count("delivered", worker) == 1 }
                #expect(server.mails.map { $0.headers("Message-ID") } == [["<\(id)@example.com>"]])
            }
        }
    }

    /// A receiver that fails keeps the other waiting for nothing, and gets nothing twice for it.
    @Test func webhookAndMailDoNotKnowOfEachOther() async throws {
        try await MailServer.with { server in
            try server.answer(["DATA 451 later"])
            try await AlertInbox.with(answering: { _, count in .status(count == 1 ? 500 : 200) }) { inbox, url in
                let settings = Self.settings(server).merging(AlertTests.settings(url)) { $1 }
                try await withFleet(plans: Self.plans, settings: settings) { fleet in
                    let worker = fleet.workers[0]
                    _ = try await HTTP.verify(try fleet.token("user_c", plan: "early"), port: worker.port)
                    try await eventually("both are delivered") { try await Self.count("delivered", worker) == 2 }
                    #expect(inbox.messages.count == 2 && server.mails.count == 1)
                    let id = try #require(inbox.messages.first?.id)
                    #expect(server.mails[0].headers("Message-ID") == ["<\(id)@example.com>"])
                    #expect(try await Self.count("pending", worker) == 0)
                }
            }
        }
    }

    @Test func theDoctorLogsInAndSendsNothing() async throws {
        try await MailServer.with(login: ("gate", "hunter2")) { server in
            try await withRedis { redis in
                let url = ["REDIS_URL": redis.url]
                let well = try await examine(url.merging(Self.settings(server, login: "gate:hunter2@")) { $1 })
                #expect(well.finding("mail")?.verdict == .ok, "\(well.text)")
                let wrong = try await examine(url.merging(Self.settings(server, login: "gate:hunter3@")) { $1 })
                let finding = try #require(wrong.finding("mail"))
                #expect(finding.verdict == .fail && finding.found.contains("AUTH PLAIN with 535"), "\(finding)")
                #expect(!wrong.text.contains("hunter3"))
                #expect(server.mails.isEmpty)
            }
        }
    }
}
