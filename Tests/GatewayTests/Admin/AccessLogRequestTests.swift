import JSONValue
import TestSupport
import Testing
import TollgateDev

/// Each answer of a worker is found in its access log, by its request id.
@Suite(.timeLimit(.minutes(6))) struct AccessLogRequestTests {
    private static let settings = ["TOLLGATE_ACCESS_LOG": "on", "TOLLGATE_LOG_FORMAT": "json"]

    /// What a worker has written until its end, as objects.
    private static func lines(_ worker: Worker) async -> [JSON] {
        await worker.process.terminate()
        var lines: [JSON] = []
        for await line in worker.process.lines {
            guard let json = JSON(parsing: line.utf8), case .object = json else {
                Issue.record("no object: \(line)")
                continue
            }
            lines.append(json)
        }
        return lines
    }

    @Test func everyAnswerHasItsLine() async throws {
        let upstream = try await ScriptedUpstream.answering([
            .say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        ])
        let plans = "plans:\n  free: { quota: 2, ratePerMinute: 100 }\n  paid: { quota: 9, ratePerMinute: 100 }\n"
        let file = RouteFile.text(
            plans: plans, RouteFile.route("/hello", to: upstream.port), RouteFile.route("/away", to: 1))
        try await withFleet(plans: file, settings: Self.settings) { fleet in
            let worker = fleet.workers[0]
            let (token, poor) = (try fleet.token("user_abc", plan: "paid"), try fleet.token("user_def"))
            var answers: [(what: String, id: String, status: Int)] = []
            func ask(
                _ what: String, _ method: String, _ path: String, token: String? = nil, id: String? = nil
            ) async throws {
                var headers: [(String, String)] = token.map { [("Authorization", "Bearer \($0)")] } ?? []
                if let id { headers.append(("X-Request-Id", id)) }
                let answer = try await HTTP.send(method, path, port: worker.port, headers: headers)
                let told = try #require(answer.headers["x-request-id"], "\(what): \(answer)")
                answers.append((what, told, answer.status))
            }
            try await ask("admitted", "POST", "/verify-auth", token: token)
            try await ask("own id", "POST", "/verify-auth", token: token, id: "my-trace-1")
            try await ask("proxied", "GET", "/hello/a?secret=hunter2", token: token)
            try await ask("no credential", "GET", "/hello/a")
            try await ask("bad credential", "GET", "/hello/a", token: "nonsense")
            for _ in 1...3 { try await ask("quota", "POST", "/verify-auth", token: poor) }
            try await ask("not found", "GET", "/nothing", token: token)
            try await ask("control plane", "GET", "/usage", token: token)
            try await ask("health", "GET", "/health")
            for _ in 1...3 { try await ask("upstream is away", "GET", "/away", token: token) }
            let raw = try await RawClient.ask(worker.port, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
            let malformed = try RawAnswer(raw)
            answers.append(("malformed", try #require(malformed.fields["x-request-id"]), malformed.status))

            let lines = await Self.lines(worker)
            let requests = lines.filter { $0["message"].string == "request" }
            for (what, id, status) in answers {
                let found = requests.filter { $0["requestId"].string == id }
                #expect(found.count == 1 && found.first?["status"].integer == Int64(status), "\(what): \(found)")
            }
            #expect(requests.count == answers.count, "\(requests)")
            func line(_ what: String) throws -> JSON {
                let id = try #require(answers.last { $0.what == what }?.id)
                return try #require(requests.first { $0["requestId"].string == id })
            }
            let proxied = try line("proxied")
            #expect(proxied["user"].string == "user_abc" && proxied["plan"].string == "paid", "\(proxied)")
            #expect(proxied["verdict"].string == "admitted" && proxied["route"].string == "hello")
            #expect(proxied["path"].string == "/hello/a" && proxied["method"].string == "GET")
            #expect(proxied["upstream"].string == "127.0.0.1:\(upstream.port)" && proxied["answerBytes"].integer == 5)
            let quota = try line("quota")
            #expect(quota["verdict"].string == "quota-exceeded" && quota["user"].string == "user_def", "\(quota)")
            #expect(quota["plan"].string == "free" && quota["status"].integer == 403)
            #expect(try line("no credential")["verdict"].string == "session-token-missing")
            let usage = try line("control plane")
            #expect(usage["user"].string == "user_abc" && usage["path"].string == "/usage", "\(usage)")
            let lost = try line("upstream is away")
            #expect(lost["status"].integer == 502 && lost["cause"].string?.contains("was refused") == true)
            // The outage is told once, beside the lines of requests.
            #expect(lines.filter { $0["message"].string == "an upstream gives no answers" }.count == 1, "\(lines)")
            let said = lines.map(\.text).joined()
            for secret in ["hunter2", token, poor] { #expect(!said.contains(secret)) }
        }
        try await upstream.close()
    }

    @Test func successesCanBeSampledAndAllOfItSwitchedOff() async throws {
        let sampled = Self.settings.merging(["TOLLGATE_ACCESS_LOG_SAMPLE": "10"]) { $1 }
        for (settings, successes, refusals) in [(sampled, 2, 3), (["TOLLGATE_LOG_FORMAT": "json"], 0, 0)] {
            try await withFleet(settings: settings.merging(["TOLLGATE_THREADS": "1"]) { $1 }) { fleet in
                let worker = fleet.workers[0]
                for _ in 1...20 { _ = try await HTTP.get("/health", port: worker.port) }
                for _ in 1...3 { _ = try await HTTP.get("/nothing", port: worker.port) }
                let lines = await Self.lines(worker).filter { $0["message"].string == "request" }
                #expect(lines.count { $0["status"].integer == 200 } == successes, "\(lines)")
                #expect(lines.count { $0["status"].integer == 404 } == refusals, "\(lines)")
            }
        }
    }
}
