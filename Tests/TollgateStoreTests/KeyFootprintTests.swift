import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

/// How much of Redis one user's keys can take up.
@Suite struct KeyFootprintTests {
    private static let time = KeyGateway.time

    /// The largest record that a user can make: every scope that there may be, each as long as it may be.
    private static let scopes = (10...41).map { number in
        "\(number)" + String(repeating: "s", count: KeyScope.maximumLength - 2)
    }

    private static func makeLargest(_ gateway: KeyGateway, expiresAfter: Int64? = nil) async throws -> IssuedKey {
        try await gateway.makeKey(
            name: String(repeating: "n", count: 100), scopes: scopes, expiresAfter: expiresAfter)
    }

    /// The bytes that all keys of Redis take up.
    private static func bytes(_ client: RedisClient) async throws -> Int {
        var sum = 0
        for name in try await names(client) { sum += try await bytes(of: name, client) }
        return sum
    }

    /// Of every element: without `SAMPLES 0` Redis weighs five of a hash, chosen at random, and multiplies.
    private static func bytes(of name: String, _ client: RedisClient) async throws -> Int {
        Int(try await client.send("MEMORY USAGE \(name) SAMPLES 0").integer ?? 0)
    }

    private static func names(_ client: RedisClient) async throws -> [String] {
        try await client.send("KEYS *").array?.compactMap(\.string) ?? []
    }

    @Test func aRevokedKeyKeepsOnlyWhatRefusingItNeeds() async throws {
        try await KeyGateway.run { gateway in
            let first = try await Self.makeLargest(gateway, expiresAfter: 3600)
            _ = try await gateway.call(first.key)
            guard
                case .rotated(let second) = try await gateway.keys.rotate(
                    first.key.id, of: gateway.user, overlapSeconds: 60, at: Self.time)
            else { throw KeyGateway.Refused() }
            let name = "key:{user_abc}:{\(first.key.id)}"
            let before = try await Self.bytes(of: name, gateway.client)
            #expect(try await gateway.keys.revoke(first.key.id, of: gateway.user, at: Self.time) == .revoked)
            let record = try await gateway.hash(name)
            #expect(Set(record.keys) == ["hash", "previousHash", "status", "revokedAt"])
            #expect(record["revokedAt"] == "2025-11-26T23:00:00Z")
            let after = try await Self.bytes(of: name, gateway.client)
            #expect(after < 450 && before > 2500, "\(before) bytes have become \(after)")
            for key in [first.key, second.key] {
                #expect(try await gateway.call(key, after: 7200).outcome == .keyRefused(.revoked))
            }
            let life = try await gateway.client.send("TTL \(name)").integer ?? 0
            #expect(life > 7 * 86_400 - 60 && life <= 7 * 86_400)
        }
    }

    @Test func aThousandRoundsOfMakingAndRevokingLeaveFiftySmallRecords() async throws {
        try await KeyGateway.run { gateway in
            var keys: [APIKey] = []
            for _ in 0..<1000 {
                let issued = try await Self.makeLargest(gateway)
                keys.append(issued.key)
                #expect(try await gateway.keys.revoke(issued.key.id, of: gateway.user, at: Self.time) == .revoked)
            }
            let names = try await Self.names(gateway.client)
            #expect(names.count { $0.hasPrefix("key:") } == KeyLimits.maximumEndedCount)
            #expect(names.count == KeyLimits.maximumEndedCount + 3, "their index and two counts of changes")
            let bytes = try await Self.bytes(gateway.client)
            #expect(bytes < 32_000, "\(bytes) bytes")
            let outcomes = try await keys.asyncMap { try await gateway.call($0).outcome }
            #expect(outcomes.count { $0 == .keyRefused(.revoked) } == KeyLimits.maximumEndedCount)
            #expect(outcomes.allSatisfy { $0 == .keyRefused(.revoked) || $0 == .keyRefused(.unknown) })
        }
    }

    /// An end that comes soon is as good as a revocation to fill Redis with.
    @Test func aThousandKeysThatExpireAtOnceLeaveFiftySmallRecords() async throws {
        try await KeyGateway.run { gateway in
            let draftOf = { (time: UnixTime) throws in
                try KeyDraft(
                    KeyTerms(
                        name: String(repeating: "n", count: 100), scopes: Self.scopes.compactMap { KeyScope($0) },
                        expiresAt: time.adding(seconds: 1)), at: time)
            }
            var last: APIKey?
            for round in 0..<20 {
                let time = Self.time.adding(seconds: Int64(round) * 2)
                for _ in 0..<KeyLimits.maximumCount {
                    guard
                        case .created(let issued) = try await gateway.keys.create(
                            draftOf(time), of: gateway.user, at: time)
                    else { throw KeyGateway.Refused() }
                    last = issued.key
                }
            }
            let names = try await Self.names(gateway.client)
            #expect(names.count { $0.hasPrefix("key:") } == KeyLimits.maximumCount + KeyLimits.maximumEndedCount)
            let room = try await gateway.makeKey(at: Self.time.adding(seconds: 100))
            #expect(try await gateway.keys.keys(of: gateway.user).map(\.id) == [room.key.id])
            let bytes = try await Self.bytes(gateway.client)
            #expect(bytes < 32_000, "\(bytes) bytes")
            let outcome = try await gateway.call(try #require(last), after: 100).outcome
            #expect(outcome == .keyRefused(.expired) || outcome == .keyRefused(.unknown))
        }
    }

    @Test func expiredKeysThatMadeRoomAreStillToldThatTheyExpired() async throws {
        try await KeyGateway.run { gateway in
            let expired = try await Self.makeLargest(gateway, expiresAfter: 10)
            for _ in 1..<KeyLimits.maximumCount { _ = try await gateway.makeKey() }
            _ = try await gateway.makeKey(at: Self.time.adding(seconds: 10))
            let record = try await gateway.hash("key:{user_abc}:{\(expired.key.id)}")
            #expect(Set(record.keys) == ["hash", "status", "expiresAt"])
            #expect(try await gateway.call(expired.key, after: 10).outcome == .keyRefused(.expired))
            #expect(try await gateway.keys.revoke(expired.key.id, of: gateway.user, at: Self.time) == .revoked)
            #expect(try await gateway.call(expired.key, after: 10).outcome == .keyRefused(.revoked))
        }
    }

    // MARK: How often

    @Test func changesAreCountedForAllWorkersTogether() async throws {
        try await KeyGateway.run(changes: KeyChangeLimits(perMinute: 7, perDay: 9)) { gateway in
            let creations = try await withThrowingTaskGroup(of: KeyCreation.self) { group in
                for number in 0..<40 {
                    group.addTask {
                        let draft = try KeyDraft(KeyTerms(name: "n"), at: Self.time)
                        let store = number % 2 == 0 ? gateway.keys : gateway.otherKeys
                        return try await store.create(draft, of: gateway.user, at: Self.time)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(creations.count { $0 == .tooOften(.ofMinute) } == 33)
            let records = try await gateway.keys.keys(of: gateway.user)
            #expect(records.count == 7)
            func rotate(after seconds: Int64) async throws -> KeyRotation {
                try await gateway.otherKeys.rotate(
                    records[0].id, of: gateway.user, overlapSeconds: 0, at: Self.time.adding(seconds: seconds))
            }
            #expect(try await rotate(after: 59) == .tooOften(.ofMinute))
            for _ in 1...2 {
                guard case .rotated = try await rotate(after: 60) else { throw KeyGateway.Refused() }
            }
            #expect(try await rotate(after: 60) == .tooOften(.ofDay))
            for record in records {
                #expect(try await gateway.keys.revoke(record.id, of: gateway.user, at: Self.time) == .revoked)
            }
            _ = try await gateway.makeKey(at: Self.time.adding(seconds: 3600))
            let otherUser = try #require(UserID("user_other"))
            let draft = try KeyDraft(KeyTerms(name: "n"), at: Self.time)
            guard case .created = try await gateway.keys.create(draft, of: otherUser, at: Self.time) else {
                throw KeyGateway.Refused()
            }
            let counts = try await Self.names(gateway.client).filter { $0.contains(":changes:") }
            for name in counts {
                let life = try await gateway.client.send("TTL \(name)").integer ?? -1
                #expect(life > 0 && life <= 2 * 86_400, "\(name)")
            }
        }
    }

    @Test func theNextMinuteAndTheNextDayAreTold() {
        #expect(KeyChangeRefusal.ofMinute.retryAfterSeconds(at: Self.time.adding(seconds: 18)) == 42)
        #expect(KeyChangeRefusal.ofDay.retryAfterSeconds(at: Self.time) == 3600)
        #expect(KeyChangeRefusal.ofDay.retryAfterSeconds(at: Self.time.adding(seconds: 3600)) == 86_400)
    }
}

extension Array {
    fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async throws -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
