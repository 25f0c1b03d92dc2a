import HTTPTypes
import JSONValue
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// What operators do about users' keys.
struct KeyOperations: Sendable {
    let keys: any KeyStore
    let admissions: any AdmissionStore
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
            .init(.post, "keys/owner", .viewer, owner), .init(.post, "keys/explain", .viewer, explain),
        ]
    }

    @Sendable private func list(_ request: OperatorRequest) async throws(APIError) -> OperatorAnswer {
        let user = try request.user
        do throws(StoreUnavailable) {
            let (records, platform) = (try await keys.keys(of: user), try await credentials.stored(for: user))
            return OperatorAnswer([
                "userId": .string(user.value), "keys": .array(records.map { $0.json(at: request.time) }),
                "platformId": .text(platform?.platformID),
            ])
        } catch {
            throw .unavailable(cause: error.reason)
        }
    }

    @Sendable private func create(_ request: OperatorRequest) async throws(APIError) -> OperatorAnswer {
        let user = try request.user
        let draft = try KeyBodies.draft(request.call.body, at: request.time)
        return try await withStore {
            switch try await keys.create(draft, of: user, at: request.time) {
            case .created(let issued):
                try await audit.note("keys.create", user.value, after: issued.record.id.value, request)
                return OperatorAnswer(
                    status: 201,
                    .object([JSON.Member(name: "key", value: .string(issued.key.text))] + issued.record.members))
            case .tooMany:
                throw APIError(
                    .conflict, error: "Too many keys", code: "too-many-keys",
                    message: "A user may have \(KeyLimits.maximumCount) keys. Revoke one that is not needed.")
            case .tooOften(let limit): throw APIError.tooManyKeyChanges(limit, at: request.time)
            }
        }
    }

    @Sendable private func revoke(_ request: OperatorRequest) async throws(APIError) -> OperatorAnswer {
        let (user, key) = (try request.user, try request.key)
        return try await withStore {
            if try await keys.revoke(key, of: user, at: request.time) == .unknown { throw Self.notFound }
            try await audit.note("keys.revoke", user.value, before: key.value, request)
            return OperatorAnswer(["userId": .string(user.value), "revoked": .array([.string(key.value)])])
        }
    }

    /// The platform's key as well.
    @Sendable private func revokeAll(_ request: OperatorRequest) async throws(APIError) -> OperatorAnswer {
        let user = try request.user
        do throws(StoreUnavailable) {
            let ids = try await keys.keys(of: user).map(\.id)
            for id in ids { _ = try await keys.revoke(id, of: user, at: request.time) }
            let platform = try await credentials.revoke(for: user, at: request.time)
            try await audit.note(
                "keys.revoke-all", user.value, before: ids.map(\.value).joined(separator: " "), request)
            return OperatorAnswer([
                "userId": .string(user.value), "revoked": .array(ids.map { .string($0.value) }),
                "platformKeyRevoked": .bool(platform == .revoked),
            ])
        } catch {
            throw .unavailable(cause: error.reason)
        }
    }

    @Sendable private func rotate(_ request: OperatorRequest) async throws(APIError) -> OperatorAnswer {
        let (user, key) = (try request.user, try request.key)
        let overlap = try KeyBodies.overlapSeconds(request.call.body)
        return try await withStore {
            switch try await keys.rotate(key, of: user, overlapSeconds: overlap, at: request.time) {
            case .rotated(let issued):
                try await audit.note("keys.rotate", user.value, before: key.value, request)
                return OperatorAnswer(
                    .object([JSON.Member(name: "key", value: .string(issued.key.text))] + issued.record.members))
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
    @Sendable private func owner(_ request: OperatorRequest) async throws(APIError) -> OperatorAnswer {
        let members = try request.members(known: ["key"], example: #"{"key": "key_01h…"}"#)
        guard let text = try members.string("key", example: "key_01h…") else {
            throw .badRequest("'key' is missing: a key, or its id.")
        }
        return try await withStore {
            if let id = KeyID(text) {
                return try await answer(id, of: try await index.owner(of: id), isGenuine: nil, request)
            }
            if let key = try? APIKey(text) {
                return try await answer(key.id, of: key.owner, isGenuine: KeyHash(of: key).hex, request)
            }
            if let key = PlatformKey(text), let owner = try await platformKeys.principal(for: key) {
                return OperatorAnswer([
                    "userId": .string(owner.userID.value), "keyId": .null, "kind": "platform", "status": "active",
                ])
            }
            throw Self.notFound
        }
    }

    /// What would become of a call with a key, and why. The text is a secret, so it is in the body.
    @Sendable private func explain(_ request: OperatorRequest) async throws(APIError) -> OperatorAnswer {
        let members = try request.members(
            known: ["key", "scopes", "from"],
            example: #"{"key": "sk_live_…", "scopes": ["read"], "from": "203.0.113.7"}"#)
        let text = try members.string("key", example: "sk_live_…") ?? ""
        let scopes = try (members.strings("scopes", example: #"["read"]"#) ?? []).map { text throws(APIError) in
            guard let scope = KeyScope(text) else { throw .badRequest("'\(text.prefix(64))' is no scope.") }
            return scope
        }
        let from = try members.string("from", example: "203.0.113.7")
        let network = from.flatMap { ClientNetwork(address: $0) }
        if from != nil, network == nil { throw .badRequest("'from' takes an address, such as 203.0.113.7.") }
        return try await withStore {
            let principal: Principal?
            if let key = PlatformKey(text) {
                principal = try await platformKeys.principal(for: key)
            } else if KeyID(text) != nil {
                throw APIError.badRequest("'key' takes the whole text of a key: by its id nothing can be tried.")
            } else {
                do {
                    principal = Principal(try APIKey(text))
                } catch let problem as APIKey.Problem {
                    return OperatorAnswer(["userId": .null, "keyId": .null, "nextCall": NextCall(problem).json])
                }
            }
            guard let principal else { throw Self.notFound }
            let decision = try await admissions.peek(
                AdmissionRequest(
                    principal: principal, time: request.time, network: network, requiredScopes: scopes))
            return OperatorAnswer([
                "userId": .string(principal.userID.value), "keyId": .text(principal.credential.keyID?.value),
                "nextCall": NextCall(decision, at: request.time).json,
            ])
        }
    }

    private func answer(
        _ id: KeyID, of user: UserID?, isGenuine hash: String?, _ request: OperatorRequest
    ) async throws -> OperatorAnswer {
        guard let user else { throw Self.notFound }
        let record = try await keys.keys(of: user).first { $0.id == id }
        return OperatorAnswer([
            "userId": .string(user.value), "keyId": .string(id.value), "kind": "secret",
            "status": .string(record == nil ? "revoked or unknown" : "active"),
            "name": .text(record?.terms.name),
            // A text with a right id may be invented.
            "isGenuine": hash.map { .bool(record?.hash.hex == $0) } ?? .null,
        ])
    }

    private static let notFound = APIError(
        .notFound, error: "Key not found", code: "key-not-found", message: "No user has such a key.")
}
