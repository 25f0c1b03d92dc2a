import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

@Suite struct WebhookLedgerTests {
    /// 2025-11-26T23:00:00Z
    private static let time = UnixTime(seconds: 1_764_198_000)

    private func withLedger(
        lease: Duration = RedisWebhookLedger.standardLease,
        _ body: (RedisWebhookLedger, RedisClient) async throws -> Void
    ) async throws {
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                try await body(RedisWebhookLedger(client: client, lease: lease), client)
            }
        }
    }

    @Test func eventsAreInWorkAndThenDone() async throws {
        try await withLedger { ledger, client in
            let key = "webhook:stripe:{evt_1}"
            #expect(try await ledger.claim(eventID: "evt_1", token: "first") == .claimed)
            #expect(try await client.send("GET \(key)").string == "claimed first")
            let lease = try await client.send("PTTL \(key)").integer ?? 0
            #expect((1...20_000).contains(lease))
            let second = try await ledger.claim(eventID: "evt_1", token: "second")
            guard case .inWork(let seconds) = second else {
                Issue.record("\(second)")
                return
            }
            #expect((15...20).contains(seconds))
            #expect(try await ledger.markDone(eventID: "evt_1", token: "first", at: Self.time))
            #expect(try await client.send("GET \(key)").string == "2025-11-26T23:00:00Z")
            let kept = try await client.send("TTL \(key)").integer ?? 0
            #expect((30 * 86_400 - 5...30 * 86_400).contains(kept))
            #expect(try await ledger.claim(eventID: "evt_1", token: "second") == .done)
            #expect(try await ledger.claim(eventID: "evt_2", token: "second") == .claimed, "another event")
        }
    }

    @Test func onlyTheHolderSettles() async throws {
        try await withLedger { ledger, client in
            let first = try await ledger.claim(eventID: "evt_1", token: "first")
            #expect(first == .claimed)
            #expect(try await ledger.release(eventID: "evt_1", token: "second") == false)
            #expect(try await ledger.markDone(eventID: "evt_1", token: "second", at: Self.time) == false)
            #expect(try await client.send("GET webhook:stripe:{evt_1}").string == "claimed first")
            #expect(try await ledger.release(eventID: "evt_1", token: "first"))
            #expect(try await client.send("DBSIZE").integer == 0)
            #expect(try await ledger.claim(eventID: "evt_1", token: "second") == .claimed)
            #expect(try await ledger.markDone(eventID: "evt_1", token: "second", at: Self.time))
            #expect(try await ledger.release(eventID: "evt_1", token: "second") == false, "done stays done")
            #expect(try await ledger.claim(eventID: "evt_1", token: "third") == .done)
        }
    }

    @Test func leasesOfDeadWorkersRunOut() async throws {
        try await withLedger(lease: .milliseconds(300)) { ledger, _ in
            #expect(try await ledger.claim(eventID: "evt_1", token: "dead") == .claimed)
            #expect(try await ledger.claim(eventID: "evt_1", token: "next") == .inWork(retryAfterSeconds: 1))
            try await eventually("the lease runs out") {
                try await ledger.claim(eventID: "evt_1", token: "next") == .claimed
            }
            #expect(try await ledger.markDone(eventID: "evt_1", token: "dead", at: Self.time) == false, "too late")
            #expect(try await ledger.release(eventID: "evt_1", token: "dead") == false)
        }
    }

    @Test func oneOfManyParallelClaimsWins() async throws {
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { one in
                try await withRedisClient(server.patientConfiguration) { other in
                    let ledgers = [RedisWebhookLedger(client: one), RedisWebhookLedger(client: other)]
                    let claims = try await withThrowingTaskGroup(of: WebhookClaim.self) { group in
                        for number in 0..<50 {
                            group.addTask {
                                try await ledgers[number % 2].claim(eventID: "evt_1", token: "token\(number)")
                            }
                        }
                        return try await group.reduce(into: []) { $0.append($1) }
                    }
                    #expect(claims.count { $0 == .claimed } == 1)
                    #expect(!claims.contains(.done))
                }
            }
        }
    }

    @Test func claimsWrittenByHandAreWaitedFor() async throws {
        try await withLedger { ledger, client in
            _ = try await client.execute(RedisCommand("SET", "webhook:stripe:{evt_1}", "claimed by hand"))
            #expect(try await ledger.claim(eventID: "evt_1", token: "first") == .inWork(retryAfterSeconds: 20))
            try await client.send("LPUSH webhook:stripe:{evt_2} text")
            await #expect(throws: StoreUnavailable.self) { try await ledger.claim(eventID: "evt_2", token: "first") }
        }
    }
}
