import Hiredis
import JSONValue
import RedisClient
import TestSupport
import Testing
import TollgateDev

/// What has become of a request is found by its id, and of a user by theirs.
@Suite(.timeLimit(.minutes(6))) struct RequestTests {
    private static let settings = ["TOLLGATE_ACCESS_LOG": "on", "TOLLGATE_LOG_FORMAT": "json"]

    @Test func requestsAreFoundByUserAndID() async throws {
        let plans = "plans:\n  free: { quota: 1, ratePerMinute: 100 }\n"
        try await withFleet(workers: 2, plans: plans, settings: Self.settings) { fleet in
            let token = try fleet.token("user_abc")
            var ids: [String] = []
            for worker in fleet.workers {
                let answer = try await HTTP.send(
                    "POST", "/verify-auth?secret=hunter2", port: worker.port,
                    headers: [("Authorization", "Bearer \(token)")])
                ids.append(try #require(answer.headers["x-request-id"]))
            }
            func requests(_ query: String, of worker: Int = 0) async throws -> [JSON] {
                let path = "/admin/v1/requests?\(query)"
                let answer = try await HTTP.get(path, port: fleet.workers[worker].adminPort)
                return answer.json["requests"].elements ?? []
            }
            // Its own at once, those of the other when it has told of them.
            #expect(try await requests("id=\(ids[0])").first?["verdict"].string == "admitted")
            try await eventually("the other's is known") { try await requests("user=user_abc").count == 2 }
            let refused = try #require(try await requests("id=\(ids[1])").first)
            #expect(refused["verdict"].string == "quota-exceeded" && refused["status"].integer == 403)
            #expect(refused["path"].string == "/verify-auth" && refused["user"].string == "user_abc")
            let newest = try await requests("limit=1")
            #expect(newest.first?["requestId"].string == ids[1] && newest.count == 1)
            #expect(try await requests("user=user_def").isEmpty)
            #expect(try await HTTP.get("/admin/v1/requests?limit=0", port: fleet.workers[0].adminPort).status == 400)
            let process = try ChildProcess.start(
                Worker.program, ["requests", "--id", ids[1]], environment: fleet.environment, output: .lines)
            var lines: [String] = []
            for await line in process.lines { lines.append(line) }
            #expect(await process.wait() == .exited(0))
            #expect(lines.count == 2 && lines.last?.contains("quota-exceeded") == true, "\(lines)")
        }
    }

    /// Of a user who is deleted no request is known any more.
    @Test func requestsAreForgottenWithTheirUser() async throws {
        let plans = "plans:\n  free: { quota: 1, ratePerMinute: 100 }\n"
        try await withFleet(plans: plans, settings: Self.settings) { fleet in
            let (port, adminPort) = (fleet.workers[0].port, fleet.workers[0].adminPort)
            for user in ["user_gone", "user_stays"] {
                for _ in 1...2 { _ = try await HTTP.verify(try fleet.token(user), port: port) }
            }
            try await withRedisClient(fleet.redis.configuration) { redis in
                func users() async throws -> [String] {
                    let entries = try await redis.send("XRANGE requests - +").array ?? []
                    return entries.compactMap { entry in
                        let words = entry.array?.last?.array?.compactMap(\.string) ?? []
                        return words.firstIndex(of: "user").map { words[$0 + 1] }
                    }
                }
                try await eventually("both refusals are told of") {
                    Set(try await users()) == ["user_gone", "user_stays"]
                }
                let export = try await HTTP.get("/admin/v1/users/user_gone/export", port: adminPort)
                #expect(export.json["requests"].elements?.isEmpty == false, "\(export.body)")
                #expect(!export.body.contains("user_stays"))
                let answer = try await HTTP.send("DELETE", "/admin/v1/users/user_gone", port: adminPort)
                #expect(answer.status == 200, "\(answer.body)")
                #expect(Set(try await users()) == ["user_stays"])
            }
        }
    }

    @Test func theConfigurationIsShownWithoutSecrets() async throws {
        let plans = "plans:\n  free: { quota: 4 }\n"
        let settings = ["STRIPE_SECRET_KEY": "sk_test_hidden", "STRIPE_WEBHOOK_SECRET": "whsec_hidden"]
        try await withFleet(plans: plans, settings: settings) { fleet in
            func value(_ name: String) async throws -> JSON {
                let answer = try await HTTP.get("/admin/v1/config", port: fleet.workers[0].adminPort)
                #expect(answer.status == 200 && !answer.body.contains("hidden"), "\(answer.body)")
                return answer.json["settings"].elements?.first { $0["name"].string == name } ?? .null
            }
            #expect(try await value("STRIPE_SECRET_KEY")["value"].string == "set")
            #expect(try await value("plans.free")["value"].string?.hasPrefix("4 a month") == true)
            #expect(try await value("plans.free")["source"].string?.contains("tollgate.yaml:") == true)
            #expect(try await value("STRIPE_PRICE_ID")["value"] == .null)
            try fleet.write("plans:\n  free: { quota: 6 }\n")
            try await eventually("what is in force is shown") {
                try await value("plans.free")["value"].string?.hasPrefix("6 a month") == true
            }
        }
    }
}
