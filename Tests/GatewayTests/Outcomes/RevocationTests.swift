import TestSupport
import Testing
import TollgateDataPlane

/// What one worker is told about a key counts with the very next call of another.
@Suite(.timeLimit(.minutes(6))) struct RevocationTests {
    /// Runs `body` with two workers before one upstream; `call` asks the second of them with a key.
    private static func run(
        _ body: (_ fleet: Fleet, _ call: (String) async throws -> HTTP.Answer) async throws -> Void
    ) async throws {
        let upstream = try await ScriptedUpstream.answering([.say(Wire.answer("ok"))])
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, "auth: key"))
        try await withFleet(workers: 2, plans: file) { fleet in
            try await body(fleet) { key in
                try await HTTP.get("/api", port: fleet.workers[1].port, headers: [("X-API-Key", key)])
            }
        }
        try await upstream.close()
    }

    @Test func theVeryNextCallIsRefused() async throws {
        try await Self.run { fleet, call in
            for _ in 1...20 {
                let key = try await fleet.madeKey()
                for _ in 1...3 {
                    let before = try await call(key.text)
                    #expect(before.status == 200)
                }
                let revoked = try await HTTP.send(
                    "DELETE", "/keys/\(key.id)", port: fleet.workers[0].port, headers: try fleet.bearer())
                #expect(revoked.status == 200)
                let after = try await call(key.text)
                #expect(after.status == 401)
                #expect(after.member("code") == "key-revoked")
            }
            let used = try await fleet.usedCalls()
            #expect(used == 60)
        }
    }

    @Test func aRotatedKeyHasItsOverlap() async throws {
        try await Self.run { fleet, call in
            let key = try await fleet.madeKey()
            func rotate(overlapSeconds: Int) async throws -> String {
                let answer = try await HTTP.send(
                    "POST", "/keys/\(key.id)/rotate", port: fleet.workers[0].port, headers: try fleet.bearer(),
                    body: #"{"overlapSeconds":\#(overlapSeconds)}"#)
                return try #require(answer.member("key"), "\(answer.body)")
            }
            let second = try await rotate(overlapSeconds: 3600)
            for secret in [key.text, second] {
                let answer = try await call(secret)
                #expect(answer.status == 200)
            }
            let third = try await rotate(overlapSeconds: 0)
            for (secret, status) in [(key.text, 401), (second, 401), (third, 200)] {
                let answer = try await call(secret)
                #expect(answer.status == status)
            }
        }
    }
}
