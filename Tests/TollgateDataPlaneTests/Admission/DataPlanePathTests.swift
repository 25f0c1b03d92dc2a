import NIOCore
import TestSupport
import Testing
import TollgateCore
import TollgateStore

@testable import TollgateDataPlane

/// The data plane's whole path, from a client's bytes to the store's port and back.
@Suite struct DataPlanePathTests {
    @Test func aKeyIsAuthorized() async throws {
        try await DataPlaneBench.run { bench in
            let key = try bench.fixture.key()
            bench.store.with { _ = $0.keys.insert(KeyHash(of: key)) }
            for count in 1...5 {
                let answer = try await bench.ask("GET /authorize HTTP/1.1", "X-API-Key: \(key.text)")
                #expect(answer.status == 200, "\(answer)")
                #expect(answer.field("X-Tollgate-User") == "user_abc")
                #expect(answer.field("X-Tollgate-Key-Id") == key.id.value)
                #expect(answer.field("RateLimit")?.contains("r=\(5 - count);") == true, "\(answer)")
            }
            let late = try await bench.ask("GET /authorize HTTP/1.1", "X-API-Key: \(key.text)")
            #expect(late.status == 403 && late.refuses("quota-exceeded"), "\(late)")
            #expect(bench.store.with { $0.questions } == 6)
        }
    }

    @Test func aTokenIsVerifiedAndSaysWhoItIs() async throws {
        let user = try #require(UserID("user_abc"))
        try await DataPlaneBench.run(tokens: ["a.b.c": .success(Principal(userID: user))]) { bench in
            let answer = try await bench.ask("POST /verify-auth HTTP/1.1", "Authorization: Bearer a.b.c")
            #expect(answer.status == 200 && answer.text.contains("\"userId\":\"user_abc\""), "\(answer)")
            let forged = try await bench.ask("POST /verify-auth HTTP/1.1", "Authorization: Bearer a.b.d")
            #expect(forged.status == 401 && forged.refuses("token-invalid-signature"), "\(forged)")
            #expect(bench.store.with { $0.questions } == 1, "the store is not asked about a forged one")
        }
    }

    @Test func aRepeatGetsTheSameAnswerForNothing() async throws {
        let user = try #require(UserID("user_abc"))
        try await DataPlaneBench.run(tokens: ["remembered": .success(Principal(userID: user))]) { bench in
            let lines = ["Authorization: Bearer remembered", "Idempotency-Key: k", "Content-Length: 2"]
            let first = try await bench.ask("POST /verify-auth HTTP/1.1", lines[0], lines[1], lines[2], body: "ab")
            #expect(first.status == 200 && first.field("Idempotent-Replayed") == nil, "\(first)")
            let again = try await bench.ask("POST /verify-auth HTTP/1.1", lines[0], lines[1], lines[2], body: "ab")
            #expect(again.status == 200 && again.field("Idempotent-Replayed") == "true", "\(again)")
            #expect(again.text.hasSuffix(first.text.suffix(40)), "\(again)")
            #expect(bench.store.with { $0.count } == 1)
        }
    }

    @Test func aTicketIsUsedOnce() async throws {
        try await DataPlaneBench.run { bench in
            let ticket = try #require(Ticket(owner: bench.fixture.user, secret: [UInt8](repeating: 1, count: 20)))
            let principal = bench.fixture.token()
            bench.store.with { $0.tickets[ticket] = principal }
            for status in [200, 401] {
                let answer = try await bench.ask(
                    "GET /authorize HTTP/1.1", "X-Original-URI: /events?tollgate_ticket=\(ticket.text)",
                    "X-Original-Method: GET")
                #expect(answer.status == status, "\(answer)")
            }
        }
    }

    @Test func guessesAreRefusedUnreadAfterThirty() async throws {
        try await DataPlaneBench.run { bench in
            let known = try bench.fixture.key(secret: 1)
            bench.store.with { _ = $0.keys.insert(KeyHash(of: known)) }
            let before = try await bench.ask("GET /authorize HTTP/1.1", "X-API-Key: \(known.text)")
            #expect(before.status == 200)
            let guess = "X-API-Key: \(try bench.fixture.key(secret: 2).text)"
            for _ in 1...GuessLimiter.maximumFailures {
                let answer = try await bench.ask("GET /authorize HTTP/1.1", guess)
                #expect(answer.refuses("key-unknown"), "\(answer)")
            }
            let asked = bench.store.with { $0.questions }
            let limited = try await bench.ask("GET /authorize HTTP/1.1", guess)
            #expect(limited.status == 429 && limited.refuses("too-many-failed-keys"), "\(limited)")
            #expect(bench.store.with { $0.questions } == asked)
            let good = try await bench.ask("GET /authorize HTTP/1.1", "X-API-Key: \(known.text)")
            #expect(good.status == 200, "one that was admitted before passes")
            bench.time.advance(seconds: 60)
            let next = try await bench.ask("GET /authorize HTTP/1.1", guess)
            #expect(next.refuses("key-unknown"), "\(next)")
        }
    }

    @Test func anOutageIsForRoutesThatStayOpen() async throws {
        let user = try #require(UserID("user_abc"))
        let route = Route(name: "open", path: .prefix("/open"), onRedisDown: .open)
        let tokens = ["remembered": Result<Principal, AuthenticationFailure>.success(Principal(userID: user))]
        try await DataPlaneBench.run(tokens: tokens, routes: [route]) { bench in
            bench.store.with { $0.failure = .away }
            func ask(_ uri: String) async throws -> DataPlaneBench.Answered {
                try await bench.ask(
                    "GET /authorize HTTP/1.1", "X-Original-URI: \(uri)", "X-Original-Method: GET",
                    "Authorization: Bearer remembered")
            }
            let open = try await ask("/open/a")
            #expect(open.status == 200 && open.field("X-Tollgate-Degraded") == "redis-unavailable", "\(open)")
            #expect(bench.fixture.state.outage.counts.waiting == 1, "it is booked later")
            let closed = try await ask("/other")
            #expect(closed.status == 503 && closed.refuses("service-unavailable"), "\(closed)")
        }
    }

    /// What is charged goes back when the client does not wait for it.
    @Test func aClientThatGoesIsNotCharged() async throws {
        let user = try #require(UserID("user_abc"))
        try await DataPlaneBench.run(tokens: ["a.b.c": .success(Principal(userID: user))]) { bench in
            // The body never ends, so the store is not asked.
            try await bench.send(
                "POST /verify-auth HTTP/1.1", "Authorization: Bearer a.b.c", "Content-Length: 2", body: "a")
            try await bench.channel.close().get()
            #expect(bench.store.with { $0.questions } == 0)
        }
    }
}
