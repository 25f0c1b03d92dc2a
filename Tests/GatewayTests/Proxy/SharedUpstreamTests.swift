import NIOCore
import NIOPosix
import TestSupport
import Testing
import TollgateDev

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// An upstream has one pool and one health, however many routes name it and however often they change.
@Suite(.timeLimit(.minutes(6))) struct SharedUpstreamTests {
    private static func routes(_ count: Int, _ more: String = "") -> String {
        (0..<count).map { "- {name: r\($0), path: /r\($0), auth: none, upstreams: \"{upstream}\"\(more)}" }
            .joined(separator: "\n")
    }

    @Test func aThousandRoutesCheckTheirUpstreamOnce() async throws {
        let upstream = try await ScriptedUpstream { _, text in
            guard text.hasSuffix("\r\n\r\n") else { return nil }
            guard text.hasPrefix("GET /health ") else { return [.say(.answer("fine"))] }
            return [.pause(.milliseconds(20)), .say("HTTP/1.1 204 X\r\n\r\n")]
        }
        let begun = ContinuousClock.now
        let routes = Self.routes(1000, ", healthCheck: {path: /health, interval: 500ms}")
        try await withRoutedGateway(routes: routes, upstream: upstream) { gateway in
            func checks() -> Int { upstream.received.ranges(of: "GET /health ").count }
            var number = 0
            try await eventually("five checks", within: .seconds(60)) {
                let client = try await RawClient.connect(port: gateway.port)
                for _ in 0..<20 {
                    number = (number + 7) % 1000
                    try await client.send("GET /r\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
                    try await client.waits(for: "fine")
                    #expect(client.text.hasPrefix("HTTP/1.1 200 "), "\(client.text)")
                    client.clear()
                }
                try await client.close()
                return checks() >= 5
            }
            let intervals = (ContinuousClock.now - begun) / .milliseconds(500)
            #expect(Double(checks()) <= intervals + 2, "one check in an interval")
            let check = try #require(upstream.received.firstRange(of: "GET /health ")).upperBound
            let fields = upstream.received[check...].split(separator: "\r\n\r\n")[0]
            #expect(!fields.contains("orwarded"), "a check tells of no client")
        }
    }

    @Test func manyRoutesMakeNoMoreConnectionsThanOne() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: Self.routes(4096), upstream: upstream) { gateway in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for start in 0..<8 {
                    group.addTask {
                        let client = try await RawClient.connect(port: gateway.port)
                        for number in stride(from: start, to: 4096, by: 32) {
                            try await client.send("GET /r\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
                            try await client.waits(for: "fine")
                            client.clear()
                        }
                        try await client.close()
                    }
                }
                try await group.waitForAll()
            }
            #expect(upstream.connectionCount - upstream.closedCount <= 8, "one for each client")
        }
    }

    @Test func aReloadKeepsConnections() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        let open = "auth: none"
        let before = RouteFile.text(RouteFile.route("/stays", to: upstream.port, open))
        let after = RouteFile.text(
            RouteFile.route("/comes", to: upstream.port, open),
            RouteFile.route("/stays", to: upstream.port, open + ", retries: 0, timeouts: {response: 5s}"))
        try await withFleet(plans: before) { fleet in
            let worker = fleet.workers[0]
            // On one connection, so on one event loop.
            let client = try await RawClient.connect(port: worker.port)
            func status(of path: String) async throws -> String {
                client.clear()
                try await client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                try await eventually("an answer") { client.text.hasSuffix("fine") || client.text.contains("\"code\"") }
                return String(client.text.prefix(12))
            }
            #expect(try await status(of: "/stays") == "HTTP/1.1 200")
            try fleet.write(after)
            worker.process.signal(SIGHUP)
            try await eventually("the new routes are in force") {
                #expect(try await status(of: "/stays") == "HTTP/1.1 200")
                return try await status(of: "/comes") == "HTTP/1.1 200"
            }
            #expect(try await status(of: "/stays") == "HTTP/1.1 200")
            #expect(upstream.connectionCount == 1)
            try await client.close()
        }
        try await upstream.close()
    }

    @Test func aRouteGoesByItsOwnCheck() async throws {
        let upstream = try await ScriptedUpstream { _, text in
            guard text.hasSuffix("\r\n\r\n") else { return nil }
            return text.hasPrefix("GET /ill ")
                ? [.say("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")] : [.say(.answer("fine"))]
        }
        let routes = """
            - {name: a, path: /a, auth: none, upstreams: "{upstream}", healthCheck: {path: /ill, interval: 100ms}}
            - {name: b, path: /b, auth: none, upstreams: "{upstream}", healthCheck: {path: /well, interval: 100ms}}
            - {name: c, path: /c, auth: none, upstreams: "{upstream}"}
            """
        try await withRoutedGateway(routes: routes, upstream: upstream) { gateway in
            try await eventually("the first is left out") { try await gateway.ask(.request("GET /a")).status == 503 }
            try await eventually("the other was asked") { upstream.received.contains("GET /well ") }
            #expect(try await gateway.ask(.request("GET /b")).status == 200)
            #expect(try await gateway.ask(.request("GET /c")).status == 200)
        }
    }

    @Test func whatOneRouteLearnsHoldsForAll() async throws {
        let sick = try await ScriptedUpstream.answering([.hangUp])
        let well = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        let routes = (0..<50).map {
            "- {name: r\($0), path: /r\($0), auth: none, upstreams: [\"{upstream}\", \"{other}\"]}"
        }.joined(separator: "\n")
        try await withRoutedGateway(routes: routes, upstream: sick, other: well) { gateway in
            for number in 0..<50 {
                let answer = try await gateway.ask(.request("GET /r\(number)"))
                #expect(answer.status == 200, "\(number): \(answer.text)")
            }
            // Now and then it is tried again, on a slow machine a few times more.
            #expect(sick.connectionCount < 25, "it is left out after a few failures on each event loop")
        }
    }

    // MARK: Shares

    private static let smallShare = ["TOLLGATE_UPSTREAM_CLIENT_SHARE": "1"]
    /// One hundredth of 512 on each event loop.
    private static var shareOfAll: Int {
        5 * MultiThreadedEventLoopGroup.singleton.makeIterator().reduce(0) { n, _ in n + 1 }
    }

    /// Answers a GET, and waits for the rest of everything else.
    private static func patientUpstream() async throws -> ScriptedUpstream {
        try await ScriptedUpstream { _, text in
            text.hasPrefix("GET ") && text.hasSuffix("\r\n\r\n") ? [.say(.answer("fine"))] : nil
        }
    }

    /// Uploads of which the end never comes.
    private static func begin(_ count: Int, port: Int, from address: String, fields: String = "") async throws
        -> [RawClient]
    {
        var clients: [RawClient] = []
        for _ in 0..<count {
            let client = try await RawClient.connect(port: port, from: address)
            try await client.send("POST /a HTTP/1.1\r\nHost: a\r\n\(fields)Content-Length: 1000\r\n\r\npart")
            clients.append(client)
        }
        return clients
    }

    @Test(.tags(.measuresTime)) func oneAddressHoldsNoMoreThanItsShareOfAnUpstream() async throws {
        let upstream = try await Self.patientUpstream()
        let routes = "- {name: r, path: /, auth: none, upstreams: \"{upstream}\", timeouts: {connect: 500ms}}"
        try await withRoutedGateway(routes: routes, upstream: upstream, settings: Self.smallShare) { gateway in
            let clients = try await Self.begin(60, port: gateway.port, from: "127.0.0.1")
            try await eventually("the others are refused") {
                clients.count { $0.text.contains("\"too-many-in-progress\"") } >= 60 - Self.shareOfAll
            }
            #expect(upstream.connectionCount <= Self.shareOfAll)
            let other = try await RawClient.connect(port: gateway.port, from: "127.0.0.2")
            try await other.send(.request())
            try await other.waits(for: "fine")
            for client in clients { try? await client.close() }
            try await eventually("the share is free again") {
                try await gateway.ask(.request()).status == 200
            }
        }
    }

    @Test(.tags(.measuresTime)) func behindATrustedProxyItsClientsHaveShares() async throws {
        let upstream = try await Self.patientUpstream()
        let routes = "- {name: r, path: /, auth: none, upstreams: \"{upstream}\", timeouts: {connect: 500ms}}"
        let settings = Self.smallShare.merging(["TOLLGATE_TRUSTED_PROXIES": "127.0.0.1/32"]) { $1 }
        try await withRoutedGateway(routes: routes, upstream: upstream, settings: settings) { gateway in
            // Addresses of one network of IPv6 are one client.
            var clients: [RawClient] = []
            for number in 1...30 {
                clients += try await Self.begin(
                    1, port: gateway.port, from: "127.0.0.1", fields: "X-Forwarded-For: 2001:db8::\(number)\r\n")
            }
            try await eventually("the others are refused") {
                clients.count { $0.text.contains("\"too-many-in-progress\"") } >= 30 - Self.shareOfAll
            }
            #expect(upstream.connectionCount <= Self.shareOfAll)
            let other = try await gateway.ask(.request(fields: "X-Forwarded-For: 2001:db8:0:1::1\r\n"))
            #expect(other.status == 200)
            for client in clients { try? await client.close() }
            // A proxy that names no client speaks for all of its clients.
            let before = upstream.connectionCount
            let unnamed = try await Self.begin(40, port: gateway.port, from: "127.0.0.1")
            try await eventually("all come through") { upstream.connectionCount >= before + 40 - Self.shareOfAll }
            for client in unnamed { try? await client.close() }
        }
    }
}
