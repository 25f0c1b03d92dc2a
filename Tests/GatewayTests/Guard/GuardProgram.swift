import Synchronization
import TestSupport
import Testing
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A real proxy with its configuration of `deploy/guard`.
enum GuardProgram: String, CaseIterable, Sendable {
    case nginx, caddy, haproxy, traefik, envoy

    /// Traefik's ForwardAuth has no place for them.
    var tellsLimitsOnSuccess: Bool { self != .traefik }

    /// nginx drops the body of a refusal; its own says less.
    var keepsBodies: Bool { self != .nginx }

    var statusWithoutTollgate: Int {
        switch self {
        case .nginx, .haproxy, .envoy: 503
        case .caddy: 502
        case .traefik: 500
        }
    }

    private var file: String {
        switch self {
        case .nginx: "nginx.conf"
        case .caddy: "Caddyfile"
        case .haproxy: "haproxy.cfg"
        case .traefik: "traefik.yml"
        case .envoy: "envoy.yaml"
        }
    }

    /// Starts it before `gateway` and `api`, in a directory that is there.
    func start(in directory: String, port: Int, gateway: Int, api: Int) throws -> ChildProcess {
        let deployed = ProxyProgram.deploy.appending(path: "guard")
        let text = try String(contentsOf: deployed.appending(path: file), encoding: .utf8)
            .replacing("127.0.0.1:8080", with: "127.0.0.1:\(gateway)")
            .replacing("127.0.0.1:3000", with: "127.0.0.1:\(api)").replacing("8000", with: "\(port)")
            .replacing("port_value: 8080", with: "port_value: \(gateway)")
            .replacing("port_value: 3000", with: "port_value: \(api)")
        let path = "\(directory)/\(file)"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return try ChildProcess.start(
            ProxyProgram.path(rawValue), ProxyProgram.arguments(rawValue, path, directory, port: port),
            environment: [
                "PATH": ProxyProgram.searchPath, "HOME": directory,
                "TOLLGATE_GUARD_LUA": deployed.appending(path: "authorize.lua").path,
            ], output: .lines)
    }

    /// Runs `body`, which is told the proxy's port, with the proxy before `gateway` and `api`.
    func run(
        gateway: Int, api: Int, isolation: isolated (any Actor)? = #isolation, _ body: (Int) async throws -> Void
    ) async throws {
        let directory = "/tmp/tg-guard-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let port = try await Loopback.freePort()
        let process = try start(in: directory, port: port, gateway: gateway, api: api)
        let listener = Task {
            var said: [String] = []
            for await line in process.lines { said.append(line) }
            return said
        }
        do {
            // Traefik answers 404 until it has read its routes.
            try await eventually("\(self) answers") {
                guard let answer = try? await HTTP.get("/", port: port) else { return false }
                return answer.status != 404
            }
            try await body(port)
        } catch {
            await process.terminate()
            Issue.record("\(await listener.value.joined(separator: "\n"))")
            throw error
        }
        await process.terminate()
        _ = await listener.value
    }
}

/// A proxy that guards an API, which answers with the request that it got.
final class GuardedAPI: Sendable {
    let port: Int
    private let requests: RequestLog

    /// What the API got so far, in lower case.
    var seen: [String] { requests.texts.withLock(\.self) }

    private init(port: Int, requests: RequestLog) {
        self.port = port
        self.requests = requests
    }

    private final class RequestLog: Sendable {
        let texts = Mutex<[String]>([])
    }

    static func run(
        _ program: GuardProgram, gateway: Int, _ body: (GuardedAPI) async throws -> Void
    ) async throws {
        let requests = RequestLog()
        let api = try await ScriptedServer { request in
            requests.texts.withLock { $0.append(request.lowercased()) }
            return .sayAndHangUp(
                "HTTP/1.1 200 OK\r\nContent-Length: \(request.utf8.count)\r\nConnection: close\r\n\r\n" + request)
        }
        do {
            try await program.run(gateway: gateway, api: api.port) { port in
                try await body(GuardedAPI(port: port, requests: requests))
            }
        } catch {
            try await api.close()
            throw error
        }
        try await api.close()
    }
}
