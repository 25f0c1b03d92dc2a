package import JSONValue
package import NIOCore
import PercentCoding
package import TollgateCore
import TollgateDataPlane

/// What an operator asks: by the admin port, or on the command line. Both doors make the same of it, so that they say the
/// same.
package struct OperatorCall: Sendable {
    package enum Method: String, Sendable, Hashable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
    }

    package let method: Method

    /// What follows `/admin/v1/` in the path, not decoded, such as `users/user_abc/grants`.
    package let path: String

    /// By name, decoded.
    package let query: [String: String]

    /// JSON, or nothing.
    package let body: ByteBuffer

    /// Whether a table is to be answered as CSV.
    package let wantsCSV: Bool

    package let identity: OperatorIdentity

    package init(
        _ method: Method, _ path: String, query: [String: String] = [:], body: ByteBuffer = ByteBuffer(),
        wantsCSV: Bool = false, identity: OperatorIdentity
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.body = body
        self.wantsCSV = wantsCSV
        self.identity = identity
    }
}

/// The answer to an ``OperatorCall``.
package struct OperatorAnswer: Sendable {
    /// Writes a part of a long answer.
    package typealias Write = (String) async throws -> Void

    package enum Body: Sendable {
        case json(JSON)

        /// Of any length: made while it is sent.
        case text(contentType: String, @Sendable (Write) async throws -> Void)
    }

    /// Of HTTP.
    package let status: Int
    package let body: Body

    package init(status: Int = 200, _ body: Body) {
        self.status = status
        self.body = body
    }

    package init(status: Int = 200, _ json: JSON) { self.init(status: status, .json(json)) }
}

/// A call that has found its endpoint.
struct OperatorRequest: Sendable {
    let call: OperatorCall

    /// What stands in the places of the pattern that have names, decoded.
    let parameters: [String: String]

    /// Now.
    let time: UnixTime

    var user: UserID {
        get throws(APIError) {
            guard let user = parameters["user"].flatMap({ UserID($0) }) else { throw .notAUserID }
            return user
        }
    }

    var key: KeyID {
        get throws(APIError) {
            guard let key = parameters["key"].flatMap({ KeyID($0) }) else {
                throw .badRequest("That is no key id. One looks like key_01h…; see the keys of the user.")
            }
            return key
        }
    }

    /// A whole number in the query.
    func number(_ name: String, in range: ClosedRange<Int>, orElse standard: Int) throws(APIError) -> Int {
        guard let text = call.query[name] else { return standard }
        guard let number = Int(text), range.contains(number) else {
            throw .badRequest("'\(name)' takes a number from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }

    func members(known: [String], example: String) throws(APIError) -> JSONBody {
        try JSONBody(
            call.body.readableBytes == 0 ? ByteBuffer(string: "{}") : call.body, known: known, example: example)
    }
}

/// One endpoint of the admin API.
struct OperatorEndpoint: Sendable {
    let method: OperatorCall.Method

    /// Such as `users/{user}/grants`.
    let pattern: String

    /// The least that may call it.
    let role: OperatorRole

    /// Throws an `APIError`, or a `StoreUnavailable`.
    let handle: @Sendable (OperatorRequest) async throws -> OperatorAnswer

    init(
        _ method: OperatorCall.Method, _ pattern: String, _ role: OperatorRole,
        _ handle: @escaping @Sendable (OperatorRequest) async throws -> OperatorAnswer
    ) {
        self.method = method
        self.pattern = pattern
        self.role = role
        self.handle = handle
    }

    /// What stands in the places that have names. Nil for another path.
    func parameters(of path: String) -> [String: String]? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let names = pattern.split(separator: "/")
        guard parts.count == names.count else { return nil }
        var parameters: [String: String] = [:]
        for (name, part) in zip(names, parts) {
            if name.hasPrefix("{") {
                guard !part.isEmpty, let value = PercentEncoding.decoded(part) else { return nil }
                parameters[String(name.dropFirst().dropLast())] = value
            } else if name != part {
                return nil
            }
        }
        return parameters
    }
}

extension APIError {
    static let notAUserID = APIError.badRequest(
        "That is no user id. One has 1 to \(UserID.maximumLength) letters, digits and _ - . : @ | + =, such as "
            + "user_2abc; copy it from Clerk's dashboard or from X-Tollgate-User.")
}
