import HTTPTypes
import JSONValue
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// Tokens for the admin port.
struct TokenOperations: Sendable {
    let tokens: RedisAdminTokens
    let audit: AuditTrail

    var endpoints: [OperatorEndpoint] {
        [
            .init(.get, "tokens", .admin, list), .init(.post, "tokens", .admin, create),
            .init(.delete, "tokens/{name}", .admin, revoke),
        ]
    }

    private static let maximumDays = 3650

    @Sendable private func list(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let all = try await tokens.all()
        return OperatorAnswer(["tokens": .array(all.map { Self.json(of: $0, at: request.time) })])
    }

    private static func json(of token: AdminToken, at time: UnixTime) -> JSON {
        [
            "name": .string(token.name), "role": .string(token.role.rawValue), "createdAt": .moment(token.createdAt),
            "expiresAt": .moment(token.expiresAt), "isExpired": .bool(token.expiresAt.map { $0 <= time } ?? false),
        ]
    }

    @Sendable private func create(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let members = try request.members(
            known: ["name", "role", "expiresInDays"], example: #"{"name": "ann", "role": "support"}"#)
        guard let name = try members.string("name", example: "ann"), AdminToken.isValidName(name) else {
            throw APIError.badRequest(
                "'name' takes up to \(AdminToken.nameLengths.upperBound) letters, digits and - _ ., such as ann.")
        }
        let roles = OperatorRole.allCases.map(\.rawValue).joined(separator: ", ")
        guard let role = (try members.string("role", example: "support")).flatMap({ OperatorRole(rawValue: $0) }) else {
            throw APIError.badRequest("'role' takes one of \(roles).")
        }
        let days = try members.integer("expiresInDays", in: 1...Self.maximumDays)
        return try await audit.record("tokens.create", name, request) {
            let text = try await tokens.create(
                name: name, role: role, expiresAt: days.map { request.time.adding(seconds: Int64($0) * 86_400) },
                at: request.time)
            guard let text else { throw Self.taken }
            return AuditTrail.Outcome(
                answer: OperatorAnswer(
                    status: 201, ["name": .string(name), "role": .string(role.rawValue), "token": .string(text)]),
                after: role.rawValue)
        }
    }

    private static let taken = APIError(
        .conflict, error: "Token exists", code: "token-exists",
        message: "There is a token of that name already. Revoke it first, or choose another name.")

    @Sendable private func revoke(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let name = request.parameters["name"] ?? ""
        return try await audit.record("tokens.revoke", name, request) {
            guard try await tokens.revoke(name) else { throw Self.unknown }
            return AuditTrail.Outcome(answer: OperatorAnswer(["name": .string(name), "revoked": true]))
        }
    }

    private static let unknown = APIError(
        .notFound, error: "Token not found", code: "token-not-found", message: "There is no token of that name.")
}
