import HTTPTypes
import JSONValue
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// What operators do about users' keys.
struct KeyOperations: Sendable {
    let keys: any KeyStore
    let credentials: any CredentialStore
    let index: RedisKeyIndex
    let platformKeys: any PlatformKeyDirectory
    let audit: AuditTrail

    var endpoints: [OperatorEndpoint] {
        [
            .init(.get, "users/{user}/keys", .viewer, list), .init(.post, "users/{user}/keys", .support, create),
            .init(.delete, "users/{user}/keys", .support, revokeAll),
            .init(.delete, "users/{user}/keys/{key}", .support, revoke),
            .init(.post, "users/{user}/keys/{key}/rotate", .support, rotate),
            .init(.post, "keys/owner", .viewer, owner),
        ]
    }

    @Sendable private func list(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let user = try request.user
        let (records, platform) = (try await keys.keys(of: user), try await credentials.stored(for: user))
        return OperatorAnswer([
            "userId": .string(user.value), "keys": .array(records.map { $0.json(at: request.time) }),
            "platformId": .text(platform?.platformID),
        ])
    }

    @Sendable private func create(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let user = try request.user
        let draft = try KeyBodies.draft(request.call.body, at: request.time)
        return try await audit.record("keys.create", user.value, request) {
            switch try await keys.create(draft, of: user, at: request.time) {
            case .created(let issued):
                return AuditTrail.Outcome(
                    answer: OperatorAnswer(status: 201, issued.json), after: issued.record.id.value)
            case .tooMany:
                throw APIError(
                    .conflict, error: "Too many keys", code: "too-many-keys",
                    message: "A user may have \(KeyLimits.maximumCount) keys. Revoke one that is not needed.")
            case .tooOften(let limit): throw APIError.tooManyKeyChanges(limit, at: request.time)
            }
        }
    }

    @Sendable private func revoke(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let (user, key) = (try request.user, try request.key)
        return try await audit.record("keys.revoke", user.value, request) {
            if try await keys.revoke(key, of: user, at: request.time) == .unknown { throw Self.notFound }
            return AuditTrail.Outcome(
                answer: OperatorAnswer(["userId": .string(user.value), "revoked": .array([.string(key.value)])]),
                before: key.value)
        }
    }

    /// The platform's key as well.
    @Sendable private func revokeAll(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let user = try request.user
        return try await audit.record("keys.revoke-all", user.value, request) {
            let ids = try await keys.keys(of: user).map(\.id)
            for id in ids { _ = try await keys.revoke(id, of: user, at: request.time) }
            let platform = try await credentials.revoke(for: user, at: request.time)
            return AuditTrail.Outcome(
                answer: OperatorAnswer([
                    "userId": .string(user.value), "revoked": .array(ids.map { .string($0.value) }),
                    "platformKeyRevoked": .bool(platform == .revoked),
                ]), before: ids.map(\.value).joined(separator: " "))
        }
    }

    @Sendable private func rotate(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let (user, key) = (try request.user, try request.key)
        let overlap = try KeyBodies.overlapSeconds(request.call.body)
        return try await audit.record("keys.rotate", user.value, request) {
            switch try await keys.rotate(key, of: user, overlapSeconds: overlap, at: request.time) {
            case .rotated(let issued):
                return AuditTrail.Outcome(answer: OperatorAnswer(issued.json), before: key.value)
            case .unknown: throw Self.notFound
            case .expired:
                throw APIError(
                    .conflict, error: "Key expired", code: KeyRefusal.expired.rawValue,
                    message: "The end of this key has come, and a rotation does not lift it. Make a new one.")
            case .tooOften(let limit): throw APIError.tooManyKeyChanges(limit, at: request.time)
            }
        }
    }

    /// Whose key it is, by its text, as it was found somewhere, or by its id. The text is a secret, so it is in the body.
    @Sendable private func owner(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let members = try request.members(known: ["key"], example: #"{"key": "key_01h…"}"#)
        guard let text = try members.string("key", example: "key_01h…") else {
            throw APIError.badRequest("'key' is missing: a key, or its id.")
        }
        if let id = KeyID(text) {
            return try await answer(id, of: try await index.owner(of: id), isGenuine: nil, request)
        }
        if let key = try? APIKey(text) {
            return try await answer(key.id, of: key.owner, isGenuine: KeyHash(of: key).hex, request)
        }
        guard let key = PlatformKey(text), let owner = try await platformKeys.principal(for: key) else {
            throw Self.notFound
        }
        return OperatorAnswer([
            "userId": .string(owner.userID.value), "keyId": .null, "kind": "platform", "status": "active",
        ])
    }

    private func answer(
        _ id: KeyID, of user: UserID?, isGenuine hash: String?, _ request: OperatorRequest
    ) async throws -> OperatorAnswer {
        guard let user else { throw Self.notFound }
        let record = try await keys.keys(of: user).first { $0.id == id }
        let isFormer = hash != nil && record?.previous?.hash.hex == hash
        return OperatorAnswer([
            "userId": .string(user.value), "keyId": .string(id.value), "kind": "secret",
            "status": .string(record == nil ? "revoked or unknown" : isFormer ? "rotated" : "active"),
            "name": .text(record?.terms.name),
            // A text with a right id may be invented. Of one that is revoked nothing is known to compare with.
            "isGenuine": hash.flatMap { hash in record.map { .bool($0.hash.hex == hash || isFormer) } } ?? .null,
        ])
    }

    static let notFound = APIError(
        .notFound, error: "Key not found", code: "key-not-found", message: "No user has such a key.")
}

extension IssuedKey {
    /// The key itself, and its record.
    fileprivate var json: JSON { .object([JSON.Member(name: "key", value: .string(key.text))] + record.members) }
}
