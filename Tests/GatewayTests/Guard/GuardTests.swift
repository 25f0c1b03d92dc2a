import TestSupport
import Testing
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The real nginx, Caddy and HAProxy with the configurations of `deploy/guard`, before an API that Tollgate guards.
@Suite struct GuardTests {
    enum Guard: String, CaseIterable, Sendable {
        case nginx, caddy, haproxy

        var file: String { self == .caddy ? "Caddyfile" : "\(rawValue).\(self == .nginx ? "conf" : "cfg")" }

        func arguments(_ file: String, _ directory: String) -> [String] {
            switch self {
            case .nginx: ["-p", directory, "-c", file, "-e", "stderr", "-g", "daemon off; pid \(directory)/pid;"]
            case .caddy: ["run", "--config", file, "--adapter", "caddyfile"]
            case .haproxy: ["-db", "-f", file]
            }
        }
    }

    @Test(arguments: Guard.allCases)
    func requestsPassOrNot(proxy: Guard) async throws {
        try await withLocalGateway { gateway in
            try await Self.withGuard(proxy, gateway: gateway.port) { port in
                let token = try gateway.token("user_abc")
                let forged = [
                    ("Authorization", "Bearer \(token)"), ("X-Tollgate-User", "user_admin"),
                    ("X-Tollgate-Plan", "pro"), ("X-Tollgate-Key-Id", "key_1"),
                ]
                for count in 1...5 {
                    let answer = try await HTTP.send(
                        count == 1 ? "POST" : "GET", "/orders/\(count)?q=1", port: port, headers: forged,
                        body: count == 1 ? "a body" : nil)
                    #expect(answer.status == 200, "\(answer.body)")
                    let echo = answer.body.lowercased()
                    #expect(echo.contains("/orders/\(count)?q=1 http/1.1"))
                    #expect(echo.contains("x-tollgate-user: user_abc"))
                    #expect(echo.contains("x-tollgate-plan: free"))
                    #expect(!echo.contains("user_admin") && !echo.contains("key_1"), "the client is not believed")
                }
                let exhausted = try await HTTP.get("/orders", port: port, headers: forged)
                #expect(exhausted.status == 403)
                #expect(exhausted.member("code") == "quota-exceeded")
                #expect(exhausted.headers["retry-after"] == "349200")

                let anonymous = try await HTTP.get("/orders", port: port, headers: Array(forged.dropFirst()))
                #expect(anonymous.status == 401)
                #expect(anonymous.member("error") == "Authentication failed")
                #expect(anonymous.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
            }
        }
    }

    @Test(arguments: Guard.allCases)
    func refusalsKeepTheirStatus(proxy: Guard) async throws {
        try await withLocalGateway { gateway in
            try await Self.withGuard(proxy, gateway: gateway.port) { port in
                let headers = [("Authorization", "Bearer \(try gateway.token("user_abc", plan: "paid"))")]
                for _ in 1...100 {
                    let answer = try await HTTP.get("/orders", port: port, headers: headers)
                    #expect(answer.status == 200)
                }
                let tooMany = try await HTTP.get("/orders", port: port, headers: headers)
                #expect(tooMany.status == 429)
                #expect(tooMany.member("code") == "rate-limit-exceeded")
                #expect(tooMany.headers["retry-after"] == "60")
                await gateway.redis.stop()
                let unavailable = try await HTTP.get("/orders", port: port, headers: headers)
                #expect(unavailable.status == 503)
                #expect(unavailable.member("code") == "service-unavailable")
            }
        }
    }

    /// Runs `body` with a guard between it and an API that answers with the request it got.
    private static func withGuard(
        _ proxy: Guard, gateway: Int, _ body: (_ port: Int) async throws -> Void
    ) async throws {
        let api = try await ScriptedServer { request in
            .sayAndHangUp(
                "HTTP/1.1 200 OK\r\nContent-Length: \(request.utf8.count)\r\nConnection: close\r\n\r\n" + request)
        }
        let directory = "/tmp/tg-guard-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let deployed = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "deploy/guard")
        let port = try await Loopback.freePort()
        let text = try String(contentsOf: deployed.appending(path: proxy.file), encoding: .utf8)
            .replacing("127.0.0.1:8080", with: "127.0.0.1:\(gateway)")
            .replacing("127.0.0.1:3000", with: "127.0.0.1:\(api.port)").replacing("8000", with: "\(port)")
        let file = "\(directory)/\(proxy.file)"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let process = try ChildProcess.start(
            proxy.rawValue, proxy.arguments(file, directory),
            environment: [
                "PATH": "/usr/sbin:/usr/bin:/bin", "HOME": directory,
                "TOLLGATE_GUARD_LUA": deployed.appending(path: "authorize.lua").path,
            ], output: .lines)
        let listener = Task {
            var said: [String] = []
            for await line in process.lines { said.append(line) }
            return said
        }
        do {
            try await eventually("\(proxy) answers") { (try? await HTTP.get("/", port: port).status) == 401 }
            try await body(port)
        } catch {
            await process.terminate()
            try await api.close()
            Issue.record("\(await listener.value.joined(separator: "\n"))")
            throw error
        }
        await process.terminate()
        _ = await listener.value
        try await api.close()
    }
}
