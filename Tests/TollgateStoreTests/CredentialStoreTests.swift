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

    private func withStore(_ body: (RedisCredentialStore, RedisClient) async throws -> Void) async throws {
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                try await body(RedisCredentialStore(client: client), client)
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
            #expect(try await client.send("DBSIZE").integer == 4)
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
                    #expect(try await one.send("DBSIZE").integer == 4, "the losers leave nothing behind")
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
