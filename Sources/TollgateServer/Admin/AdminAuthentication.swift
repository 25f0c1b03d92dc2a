import HTTPTypes
import Hummingbird
import Libcrypto
import Synchronization
import TollgateCore
import TollgateDataPlane
import TollgateStore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Who asks at the admin port. `/livez`, `/readyz` and `/metrics` are open to all who reach it; everything else takes a
/// token, unless the operator has said that none is needed.
struct AdminAuthentication: RouterMiddleware {
    typealias Context = AdminRequestContext

    /// Nil where no token is needed: whoever reaches the port may do everything.
    let tokens: RedisAdminTokens?
    let time: any TimeSource
    let remembered = RememberedTokens()

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        var context = context
        if let tokens {
            guard !AdminGuard.openPaths.contains(request.uri.path) else { return try await next(request, context) }
            context.identity = try await identity(request, tokens)
        } else {
            context.identity = OperatorIdentity(name: "admin-port", role: .admin)
        }
        return try await next(request, context)
    }

    private func identity(_ request: Request, _ tokens: RedisAdminTokens) async throws(APIError) -> OperatorIdentity {
        guard let field = request.headers[.authorization] else { throw .adminTokenMissing(request) }
        guard let text = Self.token(in: field) else { throw .adminTokenInvalid(request) }
        let now = time.now()
        let token: AdminToken?
        do {
            token = try await tokens.token(of: text, at: now)
        } catch {
            // The overview tells most just when Redis is away. Nothing can be changed then.
            guard let known = remembered.token(of: text, at: now) else { throw .unavailable(cause: error.reason) }
            return known.identity
        }
        remembered.note(token, of: text, at: now)
        guard let token else { throw .adminTokenInvalid(request) }
        return token.identity
    }

    /// A browser asks its user for a name and a password, and sends them with every request of the page: the password is the
    /// token, and the name is any (RFC 7617).
    private static func token(in field: String) -> String? {
        let parts = field.split(separator: " ", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        switch parts[0].lowercased() {
        case "bearer": return String(parts[1])
        case "basic":
            guard let pair = Data(base64Encoded: String(parts[1])).map({ String(decoding: $0, as: UTF8.self) }),
                let colon = pair.firstIndex(of: ":")
            else { return nil }
            return String(pair[pair.index(after: colon)...])
        default: return nil
        }
    }
}

/// Tokens that Redis has found right a short while ago, for as long as it cannot be asked. Bounded, and by their hashes: a
/// secret is not kept.
final class RememberedTokens: Sendable {
    /// How long one counts after Redis was asked for it last. Revoked meanwhile, it counts on a worker that Redis is away
    /// from.
    static let seconds: Int64 = 900
    private static let maximumCount = 64

    private let known = Mutex<[String: (token: AdminToken, notedAt: UnixTime)]>([:])

    /// - Parameter token: Nil when Redis knows none.
    func note(_ token: AdminToken?, of text: String, at time: UnixTime) {
        let hash = SHA256.digest(text).hex
        known.withLock { known in
            if let token {
                if known.count >= Self.maximumCount, known[hash] == nil { known = [:] }
                known[hash] = (token, time)
            } else {
                known[hash] = nil
            }
        }
    }

    func token(of text: String, at time: UnixTime) -> AdminToken? {
        let hash = SHA256.digest(text).hex
        guard let (token, notedAt) = known.withLock({ $0[hash] }), notedAt.adding(seconds: Self.seconds) > time,
            token.isValid(at: time)
        else { return nil }
        return token
    }
}

extension AdminToken {
    fileprivate var identity: OperatorIdentity { OperatorIdentity(name: name, role: role) }
}

/// What a request of the admin port carries along.
struct AdminRequestContext: RequestContext {
    var coreContext: CoreRequestContextStorage

    /// Who asks. Nil on the paths that are open.
    var identity: OperatorIdentity?

    init(source: Source) { coreContext = .init(source: source) }
}

extension APIError {
    fileprivate static func adminTokenMissing(_ request: Request) -> APIError {
        unauthorized(
            request, code: "admin-token-missing",
            "Send Authorization: Bearer with a token; tollgate admin token create makes one.")
    }

    fileprivate static func adminTokenInvalid(_ request: Request) -> APIError {
        unauthorized(
            request, code: "admin-token-invalid",
            "The token is wrong, revoked or expired; tollgate admin token create makes one.")
    }

    private static func unauthorized(_ request: Request, code: String, _ message: String) -> APIError {
        var error = APIError(.unauthorized, error: "Unauthorized", code: code, message: message)
        // The page that asks says so. It takes away what it shows when its token counts no more; a browser that asked for
        // another password first would leave it standing meanwhile.
        if request.headers[.xRequestedWith] == nil {
            error.headers[.wwwAuthenticate] = "Basic realm=\"Tollgate: a token as the password\", charset=\"UTF-8\""
        }
        // In a field of its own: with both in one, Chromium asks for no password.
        error.headers.append(HTTPField(name: .wwwAuthenticate, value: "Bearer"))
        return error
    }
}

extension HTTPField.Name {
    fileprivate static let xRequestedWith = constant("X-Requested-With")
}
