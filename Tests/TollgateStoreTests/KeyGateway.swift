import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateStore

/// What the tests of keys and of reservations have in common: two workers on one Redis, and a user.
struct KeyGateway {
    /// 2025-11-26T23:00:00Z
    static let time = UnixTime(seconds: 1_764_198_000)

    let client: RedisClient
    let admissions: RedisAdmissionStore
    let keys: RedisKeyStore

    /// The same on connections of another worker.
    let otherClient: RedisClient
    let otherAdmissions: RedisAdmissionStore
    let otherKeys: RedisKeyStore
    let user: UserID

    /// - Parameter changes: None that a test would meet, unless it is about them.
    static func run(
        plans: PlanTable = .standard, changes: KeyChangeLimits = KeyChangeLimits(perMinute: 100_000, perDay: 100_000),
        _ body: (KeyGateway) async throws -> Void
    ) async throws {
        let user = try #require(UserID("user_abc"))
        try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { one in
                try await withRedisClient(server.patientConfiguration) { other in
                    try await body(
                        KeyGateway(
                            client: one, admissions: RedisAdmissionStore(client: one, plans: plans),
                            keys: RedisKeyStore(client: one, changes: changes),
                            otherClient: other, otherAdmissions: RedisAdmissionStore(client: other, plans: plans),
                            otherKeys: RedisKeyStore(client: other, changes: changes), user: user))
                }
            }
        }
    }

    /// A key of the user.
    func makeKey(
        name: String = "ci", scopes: [String] = ["*"], expiresAfter: Int64? = nil, mode: KeyMode = .live,
        allowedIPs: [String]? = nil, at time: UnixTime = time
    ) async throws -> IssuedKey {
        let terms = KeyTerms(
            name: name, mode: mode, scopes: try scopes.map { try #require(KeyScope($0)) },
            expiresAt: expiresAfter.map { time.adding(seconds: $0) },
            allowedIPs: try allowedIPs.map { try #require(NetworkList($0)) })
        let draft = try KeyDraft(terms, at: time)
        guard case .created(let issued) = try await keys.create(draft, of: user, at: time) else {
            throw Refused()
        }
        return issued
    }

    struct Refused: Error {}

    /// What becomes of a call with `key`, `seconds` after the beginning.
    func call(
        _ key: APIKey, after seconds: Int64 = 0, requiring scopes: [String] = [], from address: String? = nil,
        onOtherWorker: Bool = false
    ) async throws -> AdmissionDecision {
        let request = AdmissionRequest(
            principal: Principal(key), time: Self.time.adding(seconds: seconds),
            network: address.flatMap { ClientNetwork(address: $0) },
            requiredScopes: try scopes.map { try #require(KeyScope($0)) })
        return try await (onOtherWorker ? otherAdmissions : admissions).admit(request)
    }

    /// The fields of a hash.
    func hash(_ name: String) async throws -> [String: String] {
        let fields = try await client.send("HGETALL \(name)").array?.compactMap(\.string) ?? []
        return Dictionary(
            uniqueKeysWithValues: stride(from: 0, to: fields.count, by: 2).map { (fields[$0], fields[$0 + 1]) })
    }

    func count(_ user: UserID? = nil) async throws -> Int {
        Int(try await client.send("HGET usage:{\((user ?? self.user).value)} usageCount").string ?? "0") ?? -1
    }
}
