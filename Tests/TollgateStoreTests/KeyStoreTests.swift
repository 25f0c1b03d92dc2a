import Hiredis
import Libcrypto
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

@Suite struct KeyStoreTests {
    private static let time = KeyGateway.time

    private static func rotated(_ rotation: KeyRotation) throws -> IssuedKey {
        guard case .rotated(let issued) = rotation else { throw KeyGateway.Refused() }
        return issued
    }

    @Test func recordsAreReadableAndHoldNoSecret() async throws {
        try await KeyGateway.run { gateway in
            let issued = try await gateway.makeKey(
                name: "CI, nightly", scopes: ["read", "orders:write"], expiresAfter: 86_400,
                allowedIPs: ["10.0.0.0/8", "2001:db8::1"])
            let id = issued.key.id
            let record = try await gateway.hash("key:{user_abc}:{\(id)}")
            #expect(
                record == [
                    "name": "CI, nightly", "mode": "live", "scopes": "read orders:write", "status": "active",
                    "createdAt": "2025-11-26T23:00:00Z", "expiresAt": "2025-11-27T23:00:00Z",
                    "allowedIPs": "0a000000-0affffff 20010db8000000000000000000000001-20010db8000000000000000000000001",
                    "hash": SHA256.digest(issued.key.text).hex,
                ])
            // A day to its end, and a week in which its user is told that it has expired.
            let life = try await gateway.client.send("TTL key:{user_abc}:{\(id)}").integer ?? 0
            #expect(life > 8 * 86_400 - 60 && life <= 8 * 86_400)
            let index = try await gateway.client.send("ZRANGE keys:{user_abc} 0 -1 WITHSCORES").array ?? []
            #expect(index.compactMap(\.string) == [id.value, "20251126230000"])
            #expect(try await gateway.client.send("DBSIZE").integer == 4, "record, index and two counts of changes")
            #expect(try await gateway.keys.keys(of: gateway.user) == [issued.record])
            _ = try await gateway.call(issued.key, from: "10.1.2.3")
            #expect(try await gateway.keys.keys(of: gateway.user)[0].lastUsedAt == Self.time)
        }
    }

    @Test func keysAreListedUntilTheyAreRevoked() async throws {
        try await KeyGateway.run { gateway in
            var issued: [IssuedKey] = []
            for number in 0..<3 {
                issued.append(
                    try await gateway.makeKey(name: "n\(number)", at: Self.time.adding(seconds: Int64(number))))
            }
            #expect(try await gateway.keys.keys(of: gateway.user).map(\.terms.name) == ["n0", "n1", "n2"])
            #expect(try await gateway.keys.revoke(issued[1].key.id, of: gateway.user, at: Self.time) == .revoked)
            let again = try await gateway.keys.revoke(issued[1].key.id, of: gateway.user, at: Self.time)
            #expect(again == .revokedBefore)
            #expect(try await gateway.keys.keys(of: gateway.user).map(\.terms.name) == ["n0", "n2"])
            let otherUser = try #require(UserID("user_other"))
            #expect(try await gateway.keys.revoke(issued[0].key.id, of: otherUser, at: Self.time) == .unknown)
            #expect(try await gateway.keys.keys(of: otherUser).isEmpty)
            let rotation = try await gateway.keys.rotate(
                issued[1].key.id, of: gateway.user, overlapSeconds: 60, at: Self.time)
            #expect(rotation == .unknown, "a revoked key does not come back")
            let life = try await gateway.client.send("TTL key:{user_abc}:{\(issued[1].key.id)}").integer ?? 0
            #expect(life > 7 * 86_400 - 60 && life <= 7 * 86_400)
        }
    }

    @Test func thereAreFiftyAndExpiredOnesMakeRoom() async throws {
        try await KeyGateway.run { gateway in
            for number in 0..<49 { _ = try await gateway.makeKey(name: "n\(number)") }
            _ = try await gateway.makeKey(name: "ends", expiresAfter: 100)
            let draft = try KeyDraft(KeyTerms(name: "one more"), at: Self.time)
            #expect(try await gateway.keys.create(draft, of: gateway.user, at: Self.time) == .tooMany)
            let keys = try await gateway.client.send("DBSIZE").integer
            #expect(keys == 53, "nothing is left behind")
            let later = Self.time.adding(seconds: 100)
            #expect(try await gateway.keys.create(draft, of: gateway.user, at: later) != .tooMany)
            #expect(try await gateway.keys.create(draft, of: gateway.user, at: later) == .tooMany)
            #expect(try await gateway.keys.keys(of: gateway.user).contains { $0.terms.name == "ends" } == false)
        }
    }

    @Test func parallelCreationsStopAtFifty() async throws {
        try await KeyGateway.run { gateway in
            let draft = try KeyDraft(KeyTerms(name: "n"), at: Self.time)
            let made = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<120 {
                    group.addTask { try await gateway.keys.create(draft, of: gateway.user, at: Self.time) != .tooMany }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(made == 50)
            #expect(try await gateway.keys.keys(of: gateway.user).count == 50)
        }
    }

    @Test func rotationsOverlap() async throws {
        try await KeyGateway.run { gateway in
            let first = try await gateway.makeKey(scopes: ["read"], expiresAfter: 10_000)
            #expect(try await gateway.call(first.key).outcome == .admitted)
            let second = try Self.rotated(
                try await gateway.keys.rotate(
                    first.key.id, of: gateway.user, overlapSeconds: 100, at: Self.time.adding(seconds: 60)))
            #expect(second.key.id == first.key.id && second.key.text != first.key.text)
            #expect(second.record.terms == first.record.terms, "a rotation lifts no end")
            #expect(second.record.previous?.lastUsedAt == Self.time && second.record.lastUsedAt == nil)
            #expect(try await gateway.call(second.key, after: 100).outcome == .admitted)
            #expect(try await gateway.call(first.key, after: 159).outcome == .admitted)
            #expect(try await gateway.call(first.key, after: 160).outcome == .keyRefused(.expired))
            #expect(try await gateway.call(second.key, after: 160).outcome == .admitted)
            #expect(try await gateway.count() == 4, "both secrets count in one quota")
            #expect(try await gateway.call(second.key, after: 10_000).outcome == .keyRefused(.expired))
            let late = try await gateway.keys.rotate(
                first.key.id, of: gateway.user, overlapSeconds: 100, at: Self.time.adding(seconds: 10_000))
            #expect(late == .expired)
            #expect(try await gateway.keys.revoke(first.key.id, of: gateway.user, at: Self.time) == .revoked)
            #expect(try await gateway.call(second.key, after: 161).outcome == .keyRefused(.revoked))
            #expect(try await gateway.call(first.key, after: 161).outcome == .keyRefused(.revoked))
        }
    }

    @Test func aRotationWhoseAnswerWasLostLocksNobodyOut() async throws {
        try await KeyGateway.run { gateway in
            let first = try await gateway.makeKey()
            let id = first.key.id
            func rotate(overlap: Int64, after seconds: Int64) async throws -> IssuedKey {
                try Self.rotated(
                    try await gateway.keys.rotate(
                        id, of: gateway.user, overlapSeconds: overlap, at: Self.time.adding(seconds: seconds)))
            }
            let lost = try await rotate(overlap: 100, after: 0)
            let second = try await rotate(overlap: 100, after: 10)
            #expect(try await gateway.call(lost.key, after: 11).outcome == .keyRefused(.unknown))
            #expect(try await gateway.call(first.key, after: 109).outcome == .admitted)
            #expect(try await gateway.call(second.key, after: 109).outcome == .admitted)
            let third = try await rotate(overlap: 0, after: 109)
            #expect(try await gateway.call(first.key, after: 109).outcome == .keyRefused(.unknown))
            #expect(try await gateway.call(second.key, after: 109).outcome == .keyRefused(.expired), "no overlap")
            #expect(try await gateway.call(third.key, after: 109).outcome == .admitted)
        }
    }

    @Test func damagedRecordsAreNotListedAndNotLetIn() async throws {
        try await KeyGateway.run { gateway in
            let issued = try await gateway.makeKey()
            let name = "key:{user_abc}:{\(issued.key.id)}"
            try await gateway.client.send("HDEL \(name) status")
            #expect(try await gateway.keys.keys(of: gateway.user).isEmpty)
            #expect(try await gateway.call(issued.key).outcome == .keyRefused(.revoked))
            try await gateway.client.send("DEL \(name)")
            #expect(try await gateway.keys.keys(of: gateway.user).isEmpty)
            #expect(try await gateway.call(issued.key).outcome == .keyRefused(.unknown))
            #expect(try await gateway.keys.revoke(issued.key.id, of: gateway.user, at: Self.time) == .unknown)
        }
    }
}
