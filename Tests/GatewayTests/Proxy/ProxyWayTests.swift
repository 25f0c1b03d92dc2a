import TestSupport
import Testing
import TollgateDev

/// The way of a request through proxies, and back: loops, prefixes, places that an upstream tells of.
@Suite(.timeLimit(.minutes(6))) struct ProxyWayTests {
    /// An upstream that is the gateway itself ends with a refusal, not with the last connection.
    @Test func aRouteThatLeadsBackEndsIn508() async throws {
        let port = try await Loopback.freePort()
        let routes = "- {name: loop, path: /loop, auth: none, upstreams: \"http://127.0.0.1:\(port)\"}"
        let upstream = try await ScriptedUpstream.answering([])
        try await withRoutedGateway(
            routes: routes, upstream: upstream, settings: ["TOLLGATE_PORT": "\(port)", "TOLLGATE_HOST": "127.0.0.1"]
        ) { gateway in
            let answer = try await gateway.ask(.request("GET /loop"))
            #expect(answer.status == 508 && answer.code == "loop-detected", "\(answer.text)")
            // Once for each passage, on the way back.
            #expect(answer.fields["via"] == Array(repeating: "1.1 tollgate", count: 5).joined(separator: ", "))
            try await gateway.expectsService("a loop")
        }
    }

    @Test func severalTollgatesInARowAreNoLoop() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        try await withRoutedGateway(routes: openRoute, upstream: upstream) { gateway in
            let two = try await gateway.ask(.request(fields: "Via: 1.1 tollgate, 1.1 edge, 1.1 tollgate\r\n"))
            #expect(two.status == 200 && upstream.connectionCount == 1)
            let many = try await gateway.ask(
                .request(fields: String(repeating: "Via: 1.1 tollgate\r\n", count: 5)))
            #expect(many.status == 508)
        }
    }

    /// A refused call costs nothing.
    @Test func aLoopIsNotCharged() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        let routes = "- {name: metered, path: /, upstreams: \"{upstream}\"}"
        try await withRoutedGateway(routes: routes, upstream: upstream) { gateway in
            let token = "Authorization: \(try gateway.bearer())\r\n"
            for _ in 1...3 {
                let fields = token + String(repeating: "Via: 1.1 tollgate\r\n", count: 9)
                let refused = try await gateway.ask(.request(fields: fields))
                #expect(refused.status == 508)
            }
            let usage = try await gateway.ask(.request("GET /usage", fields: token))
            #expect(usage.body.contains(#""count":0"#), "\(usage.body)")
            gateway.expectsNothingAtUpstream("loops")
        }
    }

    private static let places = """
        - {name: py, path: /py, auth: none, stripPrefix: true, upstreams: "{upstream}"}
        - {name: raw, path: /raw, auth: none, stripPrefix: true, mapLocations: false, upstreams: "{upstream}"}
        - {name: named, path: /named, auth: none, hostHeader: upstream, upstreams: "{upstream}"}
        """

    @Test(arguments: [
        ("/py/dir", "/dir/", "/py/dir/"), ("/py/dir", "http://api.example/dir/", "http://api.example/py/dir/"),
        ("/py/dir", "http://{upstream}/dir/", "/py/dir/"),
        ("/py/dir", "https://other.example/x", "https://other.example/x"),
        ("/py/dir", "/py/dir/", "/py/dir/"), ("/py/dir", "dir/", "dir/"), ("/raw/dir", "/dir/", "/dir/"),
        ("/named/x", "http://{upstream}/named/y", "/named/y"), ("/named/x", "/named/y", "/named/y"),
    ])
    func whereAnUpstreamSendsAClientTheClientArrives(path: String, sent: String, told: String) async throws {
        let port = try await Loopback.freePort()
        let location = sent.replacing("{upstream}", with: "127.0.0.1:\(port)")
        let answer =
            "HTTP/1.1 301 -\r\nLocation: \(location)\r\nContent-Location: \(location)\r\nContent-Length: 0\r\n\r\n"
        let upstream = try await ScriptedUpstream(port: port) { _, text in
            text.contains("\r\n\r\n") ? [.say(answer)] : nil
        }
        try await withRoutedGateway(routes: Self.places, upstream: upstream) { gateway in
            let answer = try await gateway.ask(.request("GET \(path)"))
            #expect(answer.fields["location"] == told && answer.fields["content-location"] == told, "\(answer.text)")
        }
    }

    /// Behind another proxy that takes something off, an upstream may know all of it, or none.
    @Test func prefixesAddUp() async throws {
        let upstream = try await ScriptedUpstream { _, text in
            guard text.contains("\r\n\r\n") else { return nil }
            let place = text.contains("GET /aware") ? "/outer/py/dir" : "/dir"
            return [.say("HTTP/1.1 302 -\r\nLocation: \(place)\r\nContent-Length: 0\r\n\r\n")]
        }
        try await withRoutedGateway(
            routes: Self.places, upstream: upstream, settings: ["TOLLGATE_TRUSTED_PROXIES": "127.0.0.1"]
        ) { gateway in
            for (path, told) in [("/py/plain", "/py/dir"), ("/py/aware", "/outer/py/dir")] {
                let answer = try await gateway.ask(.request("GET \(path)", fields: "X-Forwarded-Prefix: /outer\r\n"))
                #expect(answer.fields["location"] == told)
            }
            #expect(upstream.received.ranges(of: "X-Forwarded-Prefix: /outer/py\r\n").count == 2)
            #expect(upstream.received.ranges(of: "X-Forwarded-Prefix").count == 2)
        }
    }

    /// A trusted proxy's clients are told apart, through every door and in every form of their addresses.
    @Test(arguments: ["GET /a", "GET /usage", "POST /verify-auth"])
    func wrongKeysAreCountedForTheClientBehindTheProxies(line: String) async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        let routes = "- {name: metered, path: /a, upstreams: \"{upstream}\"}"
        try await withRoutedGateway(
            routes: routes, upstream: upstream, settings: ["TOLLGATE_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8"]
        ) { gateway in
            let wrong = "X-API-Key: \(try KeyedGateways.inventedKey())\r\n"
            func ask(_ fields: String) async throws -> Int {
                try await gateway.ask(.request(line, fields: wrong + fields)).status
            }
            for number in 1...30 {
                // Ports, other hops and other spellings make no other client.
                let status = try await ask(
                    "X-Forwarded-For: 6.6.6.\(number), 203.0.113.9:\(50_000 + number), 10.0.0.\(number), 127.0.0.1\r\n"
                        + "X_Forwarded_For: 198.51.100.\(number)\r\n")
                #expect(status == 401, "\(number)")
            }
            #expect(try await ask("X-Forwarded-For: 203.0.113.9\r\n") == 429)
            #expect(try await ask("X-Forwarded-For: \"[::ffff:203.0.113.9]:1\", 127.0.0.1\r\n") == 429)
            #expect(try await ask("X-Forwarded-For: 203.0.113.10, 127.0.0.1\r\n") == 401, "another client")
            for number in 1...29 {
                let status = try await ask("X-Forwarded-For: \(number % 2 == 0 ? "unknown" : "garbage \(number)")\r\n")
                #expect(status == 401, "\(number)")
            }
            #expect(try await ask("") == 401)
            #expect(try await ask("X-Forwarded-For: unknown\r\n") == 429, "counted against the proxy")
        }
    }
}
