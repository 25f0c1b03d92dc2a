import HTTPTypes
import Hummingbird
import JSONValue
import Logging
import NIOCore
import TollgateCore
import TollgateDataPlane

/// `/keys`: the secret keys that a user's own software signs in with.
///
/// All of it takes a session token, costs no call, and takes its place in the minute. Neither an exhausted quota nor a
/// full minute keeps a user from revoking a key.
struct KeyEndpoints: Sendable {
    let gatekeeper: Gatekeeper
    let keys: any KeyStore
    let time: any TimeSource
    let bodyLimitBytes: Int

    /// Told who made, revoked and rotated which key.
    let logger: Logger

    var endpoints: [EndpointTable.Endpoint] {
        [
            .init(method: .post, path: "/keys", handler: create),
            .init(method: .get, path: "/keys", handler: list),
            .init(method: .delete, path: "/keys/{id}", handler: revoke),
            .init(method: .post, path: "/keys/{id}/rotate", handler: rotate),
        ]
    }

    @Sendable private func create(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        let token = try sessionToken(request, context)
        let draft = try KeyBodies.draft(try await request.body(upTo: bodyLimitBytes), at: time.now())
        return try await answer(token, context) { user in
            let now = time.now()
            switch try await keys.create(draft, of: user, at: now) {
            case .tooMany: throw Self.tooMany
            case .tooOften(let limit): throw APIError.tooManyKeyChanges(limit, at: now)
            case .created(let issued):
                log("key created", issued.record.id, of: user)
                return (.created, .object(Self.members(of: issued)))
            }
        }
    }

    @Sendable private func list(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        try await answer(try sessionToken(request, context), context) { user in
            let records = try await keys.keys(of: user)
            return (.ok, ["keys": .array(records.map { $0.json(at: time.now()) })])
        }
    }

    @Sendable private func revoke(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        let token = try sessionToken(request, context)
        _ = try await request.body(upTo: bodyLimitBytes)
        return try await answer(token, context, endsKey: true) { user in
            let id = try Self.id(context)
            switch try await keys.revoke(id, of: user, at: time.now()) {
            case .unknown: throw Self.notFound
            case .revoked: log("key revoked", id, of: user)
            case .revokedBefore: break
            }
            return (.ok, ["revoked": true, "id": .string(id.value)])
        }
    }

    @Sendable private func rotate(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        let token = try sessionToken(request, context)
        let overlap = try KeyBodies.overlapSeconds(try await request.body(upTo: bodyLimitBytes))
        return try await answer(token, context) { user in
            let id = try Self.id(context)
            let now = time.now()
            switch try await keys.rotate(id, of: user, overlapSeconds: overlap, at: now) {
            case .unknown: throw Self.notFound
            case .expired: throw Self.expired
            case .tooOften(let limit): throw APIError.tooManyKeyChanges(limit, at: now)
            case .rotated(let issued):
                log("key rotated", id, of: user)
                let until = JSON.Member(name: "previousUntil", value: .moment(issued.record.previousUntil(at: now)))
                return (.ok, .object(Self.members(of: issued) + [until]))
            }
        }
    }

    // MARK: What all have in common

    private func sessionToken(
        _ request: Request, _ context: GatewayRequestContext
    ) throws(APIError) -> PresentedCredential {
        let credential = try gatekeeper.presented(request.headers, from: context.network)
        guard case .token = credential else { throw .sessionTokenRequired }
        return credential
    }

    private func answer(
        _ token: PresentedCredential, _ context: GatewayRequestContext, endsKey: Bool = false,
        _ work: (UserID) async throws -> (HTTPResponse.Status, JSON)
    ) async throws -> Response {
        try await gatekeeper.serve(
            token, .endpoint("keys", cost: 0, quotaPolicy: .countWhileSomeIsLeft, endsKey: endsKey),
            from: context.network
        ) { admitted in
            let (status, json) = try await work(admitted.principal.userID)
            var headers = admitted.rateLimitHeaders
            // A secret may be in it, which is shown once.
            headers.append(HTTPField(name: .cacheControl, value: "no-store"))
            return Response(status: status, json: json, headers: headers)
        }
    }

    /// For an audit: which user did what. A key's id is no secret.
    private func log(_ what: Logger.Message, _ id: KeyID, of user: UserID) {
        logger.info(what, metadata: ["user": "\(user)", "key": "\(id)"])
    }

    private static func id(_ context: GatewayRequestContext) throws(APIError) -> KeyID {
        guard let id = context.parameters.get("id").flatMap({ KeyID($0) }) else { throw notFound }
        return id
    }

    private static let notFound = APIError(
        .notFound, error: "Key not found", code: "key-not-found",
        message: "You have no such key, or it is revoked. GET /keys lists those that you have.")

    private static let tooMany = APIError(
        .conflict, error: "Too many keys", code: "too-many-keys",
        message: "You may have \(KeyLimits.maximumCount) keys. "
            + "Revoke one that is not needed with DELETE /keys/{id}.")

    private static let expired = APIError(
        .conflict, error: "Key expired", code: KeyRefusal.expired.rawValue,
        message: "The end of this key has come, and a rotation does not lift it. Make a new one with POST /keys.")

    /// With the secret, right after the id.
    private static func members(of issued: IssuedKey) -> [JSON.Member] {
        var members = issued.record.members
        members.insert(JSON.Member(name: "key", value: .string(issued.key.text)), at: 1)
        return members
    }
}
