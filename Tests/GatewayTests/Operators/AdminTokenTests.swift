import JSONValue
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Who may use the admin port.
@Suite(.timeLimit(.minutes(6))) struct AdminTokenTests {
    private static let settings = ["TOLLGATE_ADMIN_AUTH": "token"]

    /// Makes a token by the command, which goes to Redis itself.
    private func token(_ name: String, _ role: String, _ market: Market, _ more: [String] = []) async throws -> String {
        let (lines, status) = try await market.run(["admin", "token", "create", "--name", name, "--role", role] + more)
        #expect(status == .exited(0) && lines.count == 1, "\(lines)")
        return try #require(lines.first)
    }

    @Test func everythingButHealthAndMetricsTakesAToken() async throws {
        try await withMarket(settings: Self.settings) { market in
            let port = market.gateways[0].adminPort
            for path in ["/livez", "/readyz", "/metrics"] {
                #expect(try await HTTP.get(path, port: port).status == 200, "\(path)")
            }
            for path in [
                "/", "/overview", "/overview/overview.js", "/overview.json", "/explain/user_abc", "/admin/v1/users",
                "/admin/v1/nothing", "/nothing", "/livez/", "//livez", "/%6civez",
            ] {
                let answer = try await HTTP.get(path, port: port)
                #expect(answer.status == 401 && answer.member("code") == "admin-token-missing", "\(path)")
                let wrong = try await HTTP.send(
                    "GET", path, port: port, headers: [("Authorization", "Bearer tga_ann.0")])
                #expect(wrong.status == 401 && wrong.member("code") == "admin-token-invalid", "\(path)")
            }
            let text = try await token("ann", "viewer", market)
            #expect(try await market.admin("GET", "users", token: text).status == 200)
            let pair = Data("ann:\(text)".utf8).base64EncodedString()
            let page = try await HTTP.send(
                "GET", "/overview", port: port, headers: [("Authorization", "Basic \(pair)")])
            #expect(page.status == 200, "a browser sends it as a password")
        }
    }

    @Test func rolesHold() async throws {
        try await withMarket(settings: Self.settings) { market in
            let viewer = try await token("vic", "viewer", market)
            let support = try await token("sue", "support", market)
            let admin = try await token("ada", "admin", market)
            for (method, path, body, least) in [
                ("GET", "users", nil, 0), ("GET", "audit", nil, 0),
                ("POST", "users/user_abc/block", #"{"reason":"x"}"#, 1), ("DELETE", "users/user_abc/block", nil, 1),
                ("GET", "users/user_abc/export", nil, 1), ("GET", "tokens", nil, 2),
                ("DELETE", "users/user_abc", nil, 2),
            ] as [(String, String, String?, Int)] {
                for (rank, token) in [viewer, support, admin].enumerated() {
                    let answer = try await market.admin(method, path, body, token: token)
                    #expect((answer.member("code") == "role-too-low") == (rank < least), "\(method) \(path) \(rank)")
                }
            }
            let entries = try await market.admin("GET", "audit", token: viewer).json["entries"].elements ?? []
            #expect(entries.contains { $0["who"].string == "sue" && $0["action"].string == "users.block" })
        }
    }

    /// A browser that knows the password would send it along.
    @Test func aPageOfAnotherOriginChangesNothing() async throws {
        try await withMarket(settings: Self.settings) { market in
            let (token, port) = (try await token("ada", "admin", market), market.gateways[0].adminPort)
            func block(from origin: String?) async throws -> HTTP.Answer {
                try await HTTP.send(
                    "POST", "/admin/v1/users/user_abc/block", port: port,
                    headers: [("Authorization", "Bearer \(token)")] + (origin.map { [("Origin", $0)] } ?? []),
                    body: #"{"reason":"x"}"#)
            }
            for origin in [
                "http://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1:\(port).evil.example",
            ] {
                let refused = try await block(from: origin)
                #expect(refused.status == 403 && refused.member("code") == "cross-site-request", "\(origin)")
            }
            #expect(try await market.admin("GET", "users/user_abc/explain", token: token).status == 404)
            #expect(try await block(from: "http://127.0.0.1:\(port)").status == 200)
            #expect(try await block(from: nil).status == 200)
        }
    }

    /// In one field, Chromium understands neither way.
    @Test func eachWayToSignInIsOfferedInAFieldOfItsOwn() async throws {
        try await withMarket(settings: Self.settings) { market in
            let answer = try await RawClient.ask(
                market.gateways[0].adminPort, "GET /overview HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            let offers = answer.lowercased().split(separator: "\r\n").filter { $0.hasPrefix("www-authenticate: ") }
            #expect(offers.count == 2 && offers[0].contains("basic realm=") && offers[1] == "www-authenticate: bearer")
        }
    }

    /// Chromium would keep the page waiting, and what it shows in view, until its user had given another password.
    @Test func noPasswordIsAskedForInTheNameOfTheOverview() async throws {
        try await withMarket(settings: Self.settings) { market in
            let answer = try await RawClient.ask(
                market.gateways[0].adminPort,
                "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Requested-With: fetch\r\nConnection: close\r\n\r\n")
            let offers = answer.lowercased().split(separator: "\r\n").filter { $0.hasPrefix("www-authenticate: ") }
            #expect(offers == ["www-authenticate: bearer"])
        }
    }

    /// The overview tells most just when Redis is away.
    @Test func aTokenThatWasRightIsRememberedWhileRedisIsAway() async throws {
        try await withMarket(settings: Self.settings) { market in
            let known = try await token("ann", "viewer", market)
            let unknown = try await token("bob", "viewer", market)
            let port = market.gateways[0].adminPort
            func status(_ token: String) async throws -> Int {
                try await HTTP.get("/overview.json", port: port, headers: [("Authorization", "Bearer \(token)")]).status
            }
            #expect(try await status(known) == 200)
            market.redis.suspend()
            #expect(try await status(known) == 200)
            #expect(try await status(unknown) == 503)
            #expect(try await status("\(known)0") == 503, "another text than the one that was right")
            market.time.advance(seconds: 900)
            #expect(try await status(known) == 503)
            market.redis.resume()
        }
    }

    @Test func tokensEnd() async throws {
        try await withMarket(settings: Self.settings) { market in
            let forever = try await token("bob", "viewer", market)
            #expect(try await market.admin("GET", "users", token: forever).status == 200)
            let twice = try await market.run(["admin", "token", "create", "--name", "bob", "--role", "admin"])
            #expect(twice.status == .exited(1))
            let revoked = try await market.run(["admin", "token", "revoke", "bob"])
            #expect(revoked.status == .exited(0))
            #expect(try await market.admin("GET", "users", token: forever).status == 401)
            let again = try await market.run(["admin", "token", "revoke", "bob"])
            #expect(again.status == .exited(3))
        }
    }

    @Test func commandsAskTheAdminPort() async throws {
        try await withMarket(settings: Self.settings) { market in
            let text = try await token("cli", "support", market)
            let url = "http://127.0.0.1:\(market.gateways[0].adminPort)"
            let away = ["TOLLGATE_ADMIN_TOKEN": text, "REDIS_URL": "redis://127.0.0.1:1"]
            let blocked = try await market.run(
                ["users", "block", "user_abc", "--reason", "x", "--admin", url], environment: away)
            #expect(blocked.status == .exited(0) && blocked.lines.last == "user_abc is blocked: x", "\(blocked)")
            #expect(try await market.verify("user_abc").member("code") == "user-blocked")
            let withoutToken = try await market.run(["users", "list", "--admin", url], environment: ["REDIS_URL": ""])
            #expect(withoutToken.status == .exited(4), "\(withoutToken)")
            let publicPort = "http://127.0.0.1:\(market.gateways[0].publicPort)"
            let elsewhere = try await market.run(["users", "list", "--admin", publicPort], environment: away)
            #expect(elsewhere.status == .exited(5), "\(elsewhere)")
            let direct = try await market.run(["users", "unblock", "user_abc"])
            #expect(direct.status == .exited(0) && direct.lines == ["user_abc is not blocked."])
            #expect(try await market.verify("user_abc").status == 200)
            let refused = try await market.run(
                ["users", "delete", "user_abc", "--yes", "--admin", url], environment: away)
            #expect(refused.status == .exited(4))
            let unknown = try await market.run(["users", "show", "user_nobody"])
            #expect(unknown.status == .exited(3))
        }
    }
}

extension Market {
    /// Runs a command of `tollgate` with the settings of the market's workers.
    func run(
        _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> (lines: [String], status: ChildProcess.ExitStatus) {
        let process = try ChildProcess.start(
            Worker.program, arguments, environment: settings.merging(environment) { $1 }, output: .lines)
        var lines: [String] = []
        for await line in process.lines { lines.append(line) }
        return (lines, await process.wait())
    }
}
