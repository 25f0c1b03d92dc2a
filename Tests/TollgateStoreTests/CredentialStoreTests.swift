import Hiredis
import Libcrypto
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

@Suite struct CredentialStoreTests {
    private static func user(_ name: String) throws -> UserID { try #require(UserID(name)) }

    /// A pair of its own for every number.
    private static func candidate(_ number: Int) throws -> Credentials {
        let digits = String(number, radix: 16)
        return try #require(
            Credentials(
                platformID: "plt_" + String(repeating: "0", count: 32 - digits.count) + digits,
                apiKey: "pk_live_" + String(repeating: "0", count: 64 - digits.count) + digits))
    }

    private func withStore(
        changes: KeyChangeLimits = .standard, _ body: (RedisCredentialStore, RedisClient) async throws -> Void
    ) async throws {
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                try await body(RedisCredentialStore(client: client, changes: changes), client)
            }
        }
    }

    /// What the index says of `credentials`.
    private static func index(
        of credentials: Credentials, _ client: RedisClient
    ) async throws -> (user: String?, platform: String?) {
        let hash = SHA256.digest(credentials.apiKey).hex
        let user = try await client.send("GET platform:{\(credentials.platformID)}:userId").string
        let platform = try await client.send("GET apikey:{\(hash)}").string
        return (user, platform)
    }

    @Test func theFirstPairIsKept() async throws {
        try await withStore { store, client in
            let user = try Self.user("user_abc")
            #expect(try await store.existing(for: user) == nil)
            #expect(try await client.send("DBSIZE").integer == 0)
            let first = try await store.credentials(for: user, candidate: Self.candidate(1))
            #expect(try first == Self.candidate(1))
            #expect(try await store.credentials(for: user, candidate: Self.candidate(2)) == first)
            #expect(try await store.existing(for: user) == first)
            #expect(try await client.send("GET user:{user_abc}:platformId").string == first.platformID)
            #expect(try await client.send("GET user:{user_abc}:apiKey").string == first.apiKey)
            let index = try await Self.index(of: first, client)
            #expect(index.user == "user_abc")
            #expect(index.platform == first.platformID)
            #expect(try await client.send("DBSIZE").integer == 6, "the pair, 2 ways back, 2 counts of changes")
            #expect(try await client.send("TTL user:{user_abc}:apiKey").integer == -1)
        }
    }

    @Test func parallelCallersGetOnePair() async throws {
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { one in
                try await withRedisClient(server.patientConfiguration) { other in
                    let stores = [RedisCredentialStore(client: one), RedisCredentialStore(client: other)]
                    let user = try Self.user("user_abc")
                    let pairs = try await withThrowingTaskGroup(of: Credentials.self) { group in
                        for number in 0..<100 {
                            group.addTask {
                                try await stores[number % 2].credentials(for: user, candidate: Self.candidate(number))
                            }
                        }
                        return try await group.reduce(into: Set()) { $0.insert($1) }
                    }
                    #expect(pairs.count == 1)
                    #expect(try await one.send("DBSIZE").integer == 6, "the losers leave nothing behind")
                }
            }
        }
    }

    /// A worker died after the script, or after the first index key.
    @Test(arguments: [["platform", "apikey"], ["apikey"]])
    func theIndexIsRepaired(lost: [String]) async throws {
        try await withStore { store, client in
            let user = try Self.user("user_abc")
            let first = try await store.credentials(for: user, candidate: Self.candidate(1))
            let names = [
                "platform": "platform:{\(first.platformID)}:userId",
                "apikey": "apikey:{\(SHA256.digest(first.apiKey).hex)}",
            ]
            for name in lost { try await client.send("DEL \(names[name] ?? "")") }
            #expect(try await store.existing(for: user) == first)
            var index = try await Self.index(of: first, client)
            #expect(index.user == "user_abc" && index.platform == first.platformID)
            for name in lost { try await client.send("DEL \(names[name] ?? "")") }
            #expect(try await store.credentials(for: user, candidate: Self.candidate(2)) == first)
            index = try await Self.index(of: first, client)
            #expect(index.user == "user_abc" && index.platform == first.platformID)
        }
    }

    @Test(arguments: ["platformId", "apiKey"]) func halfAPairIsMadeWhole(lost: String) async throws {
        try await withStore { store, client in
            let user = try Self.user("user_abc")
            let first = try await store.credentials(for: user, candidate: Self.candidate(1))
            try await client.send("DEL user:{user_abc}:\(lost)")
            #expect(try await store.existing(for: user) == nil)
            let second = try Self.candidate(2)
            let whole = try await store.credentials(for: user, candidate: second)
            #expect(whole.platformID == (lost == "platformId" ? second : first).platformID)
            #expect(whole.apiKey == (lost == "apiKey" ? second : first).apiKey)
            let index = try await Self.index(of: whole, client)
            #expect(index.user == "user_abc" && index.platform == whole.platformID)
            #expect(try await store.existing(for: user) == whole)
        }
    }

    private static func key(_ number: Int) throws -> PlatformKey {
        try #require(PlatformKey(try candidate(number).apiKey))
    }

    private static func name(of key: PlatformKey) -> String { "apikey:{\(SHA256.digest(key.text).hex)}" }

    /// 2025-11-26T23:00:00Z
    private static let time = UnixTime(seconds: 1_764_198_000)

    @Test func aRotationKeepsThePlatformAndRemembersTheKeySoFar() async throws {
        try await withStore { store, client in
            let user = try Self.user("user_abc")
            let next = try Self.key(2)
            let none = try await store.rotate(for: user, to: next, overlapSeconds: 60, at: Self.time)
            #expect(none == .unknown)
            #expect(try await client.send("DBSIZE").integer == 0)
            let first = try await store.credentials(for: user, candidate: Self.candidate(1))
            let until = Self.time.adding(seconds: 60)
            let rotated = try #require(
                Credentials(platformID: first.platformID, apiKey: next.text, previousUntil: until))
            #expect(
                try await store.rotate(for: user, to: next, overlapSeconds: 60, at: Self.time) == .rotated(rotated))
            #expect(try await store.stored(for: user) == rotated)
            #expect(rotated.previousUntil(at: Self.time) == until && rotated.previousUntil(at: until) == nil)
            #expect(try await store.credentials(for: user, candidate: Self.candidate(3)).apiKey == next.text)
            let previous = try await client.send("HMGET user:{user_abc}:previousApiKey apiKey status until")
            #expect(previous.array?.map(\.string) == [first.apiKey, "active", "2025-11-26T23:01:00Z"])
            // As long as it works, and a week in which its user is told that it has expired.
            for name in ["user:{user_abc}:previousApiKey", Self.name(of: try Self.key(1))] {
                let life = try await client.send("TTL \(name)").integer ?? 0
                #expect(life > 7 * 86_400 && life <= 7 * 86_400 + 60, "\(name)")
            }
            #expect(try await client.send("TTL \(Self.name(of: next))").integer == -1)
        }
    }

    @Test func aRevocationEndsBothKeysAndMayBeRepeated() async throws {
        try await withStore { store, client in
            let user = try Self.user("user_abc")
            #expect(try await store.revoke(for: user, at: Self.time) == .unknown)
            let first = try await store.credentials(for: user, candidate: Self.candidate(1))
            _ = try await store.rotate(for: user, to: try Self.key(2), overlapSeconds: 60, at: Self.time)
            #expect(try await store.revoke(for: user, at: Self.time) == .revoked)
            #expect(try await store.revoke(for: user, at: Self.time) == .revokedBefore)
            #expect(try await store.existing(for: user) == nil)
            #expect(
                try await store.rotate(for: user, to: try Self.key(3), overlapSeconds: 0, at: Self.time) == .unknown)
            #expect(try await client.send("EXISTS \(Self.name(of: try Self.key(1)))").integer == 0)
            let again = try await store.credentials(for: user, candidate: Self.candidate(4))
            #expect(try again == Credentials(platformID: first.platformID, apiKey: Self.key(4).text))
        }
    }

    @Test func aThousandRotationsLeaveTwoKeys() async throws {
        try await withStore(changes: KeyChangeLimits(perMinute: 10_000, perDay: 10_000)) { store, client in
            let user = try Self.user("user_abc")
            _ = try await store.credentials(for: user, candidate: Self.candidate(1))
            for number in 2...1001 {
                _ = try await store.rotate(for: user, to: try Self.key(number), overlapSeconds: 600, at: Self.time)
            }
            #expect(try await client.send("DBSIZE").integer == 8, "platform, 2 keys, 3 ways back, 2 counts of changes")
            for number in 1002...2001 {
                #expect(try await store.revoke(for: user, at: Self.time) == .revoked)
                _ = try await store.credentials(for: user, candidate: Self.candidate(number))
            }
            #expect(try await client.send("DBSIZE").integer == 8)
        }
    }

    @Test func rotationsAreCountedAmongTheChangesOfKeys() async throws {
        try await withStore(changes: KeyChangeLimits(perMinute: 3, perDay: 4)) { store, _ in
            let user = try Self.user("user_abc")
            _ = try await store.credentials(for: user, candidate: Self.candidate(1))
            var seen: [CredentialRotation] = []
            for (number, seconds) in [(2, 0), (3, 0), (4, 0), (5, 60), (6, 60)] as [(Int, Int64)] {
                seen.append(
                    try await store.rotate(
                        for: user, to: try Self.key(number), overlapSeconds: 0, at: Self.time.adding(seconds: seconds)))
            }
            #expect(seen[2] == .tooOften(.ofMinute) && seen[4] == .tooOften(.ofDay))
            #expect(try await store.stored(for: user)?.apiKey == (try Self.key(5)).text)
            #expect(try await store.revoke(for: user, at: Self.time) == .revoked)
        }
    }

    /// Or revoking and making again would be a rotation without a limit.
    @Test func makingAKeyAnewIsCountedAmongTheChangesOfKeys() async throws {
        try await withStore(changes: KeyChangeLimits(perMinute: 2, perDay: 3)) { store, client in
            let user = try Self.user("user_abc")
            func keep(_ number: Int, after seconds: Int64) async throws -> CredentialKeeping {
                try await store.credentials(
                    for: user, candidate: Self.candidate(number), at: Self.time.adding(seconds: seconds))
            }
            let first = try Self.candidate(1)
            for number in 1...5 { #expect(try await keep(number, after: 0) == .kept(first), "shown, not made") }
            var seen: [CredentialKeeping] = []
            for (number, seconds) in [(6, 0), (7, 0), (8, 60), (9, 60)] as [(Int, Int64)] {
                let revocation = try await store.revoke(for: user, at: Self.time)
                #expect(revocation != .unknown, "revoking is never refused")
                seen.append(try await keep(number, after: seconds))
            }
            #expect(seen[1] == .tooOften(.ofMinute) && seen[3] == .tooOften(.ofDay))
            let third = try #require(
                Credentials(platformID: first.platformID, apiKey: try Self.candidate(8).apiKey))
            #expect(seen[2] == .kept(third))
            #expect(try await client.send("EXISTS user:{user_abc}:apiKey").integer == 0)
        }
    }

    @Test func damagedPairsAreNotHandedOut() async throws {
        try await withStore { store, client in
            let user = try Self.user("user_abc")
            try await client.send("MSET user:{user_abc}:platformId plt_1 user:{user_abc}:apiKey pk_live_1")
            await #expect(throws: StoreUnavailable.self) { try await store.existing(for: user) }
            await #expect(throws: StoreUnavailable.self) {
                try await store.credentials(for: user, candidate: Self.candidate(1))
            }
            #expect(try await client.send("DBSIZE").integer == 2)
        }
    }
}

extension RedisCredentialStore {
    /// The user's credentials, which they must not have changed too often to get.
    func credentials(for user: UserID, candidate: Credentials) async throws -> Credentials {
        let time = UnixTime(seconds: 1_764_198_000)
        guard case .kept(let credentials) = try await credentials(for: user, candidate: candidate, at: time) else {
            throw KeyGateway.Refused()
        }
        return credentials
    }
}
