import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateDev

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A worker dies in the middle of calls that are to be given back should they fail: nothing is left to say so, but the
/// leases in Redis.
@Suite(.timeLimit(.minutes(6))) struct CrashTests {
    @Test func whatAKilledWorkerHadInWorkIsGivenBackOnce() async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, "charge: success, cost: 2"))
        try await withFleet(workers: 2, plans: file) { fleet in
            let bearer = try fleet.bearer()
            for _ in 1...10 {
                let answer = try await HTTP.send("POST", "/verify-auth", port: fleet.workers[1].port, headers: bearer)
                #expect(answer.status == 200)
            }
            var clients: [RawClient] = []
            for _ in 1...3 {
                let client = try await RawClient.connect(port: fleet.workers[0].port)
                try await client.send(Wire.get("/api", fields: "Authorization: \(bearer[0].1)\r\n"))
                clients.append(client)
            }
            try await upstream.waits(for: "\r\n\r\n", times: 3)
            fleet.workers[0].process.signal(SIGKILL)
            let status = await fleet.workers[0].process.wait()
            #expect(status == .signalled(SIGKILL))
            for client in clients { try await eventually("the client sees it") { client.isClosed } }
            try await eventually("the upstream sees it") { upstream.closedCount == 3 }
            let before = try await fleet.usedCalls(on: 1)
            #expect(before == 16, "the leases have not run out")

            try await fleet.redis.endLeases(count: 3)
            for count in [11, 12] {
                let answer = try await HTTP.send("POST", "/verify-auth", port: fleet.workers[1].port, headers: bearer)
                #expect(answer.usedCalls == count, "given back with the next call, and only then")
            }
            let after = try await fleet.usedCalls(on: 1)
            #expect(after == 12)
        }
        try await upstream.close()
    }

    /// A client repeats what was never answered: it is carried out, and paid once.
    @Test func aRepeatOfWhatAKilledWorkerHadInWorkIsFree() async throws {
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, "idempotency: replay, cost: 2"))
        try await withFleet(workers: 2, plans: file) { fleet in
            let fields = "Authorization: \(try fleet.bearer()[0].1)\r\nIdempotency-Key: k\r\n"
            let first = try await RawClient.connect(port: fleet.workers[0].port)
            try await first.send(Wire.post("/api", fields: fields, body: "{}"))
            try await upstream.waits(for: "{}")
            fleet.workers[0].process.signal(SIGKILL)
            _ = await fleet.workers[0].process.wait()
            try await eventually("the client sees it") { first.isClosed }

            let port = fleet.workers[1].port
            let headers = try fleet.bearer() + [("Host", "api.example"), ("Idempotency-Key", "k")]
            let early = try await HTTP.send("POST", "/api", port: port, headers: headers, body: "{}")
            #expect(early.status == 409 && early.member("code") == "idempotency-key-in-use")
            try await withRedisClient(fleet.redis.patientConfiguration) { redis in
                _ = try await redis.send("HSET idempotency:{user_abc}:{k} leaseUntil 2020-01-01T00:00:00Z")
            }
            async let repeated = HTTP.send("POST", "/api", port: port, headers: headers, body: "{}")
            try await upstream.waits(for: "{}", times: 2)
            try await upstream.say(Wire.answer("done"))
            let answer = try await repeated
            #expect(answer.status == 200 && answer.body == "done" && answer.headers["idempotent-replayed"] == nil)
            #expect(try await fleet.usedCalls(on: 1) == 2)
        }
        try await upstream.close()
    }
}
