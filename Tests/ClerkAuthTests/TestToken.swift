import ClerkAuth
import Synchronization
import TollgateCore

/// The moment of all tests, until they move it.
let testNow: Int64 = 1_800_000_000

/// A clock that tests set.
final class TestTime: TimeSource, Sendable {
    private let current = Mutex(UnixTime(seconds: testNow))

    func now() -> UnixTime { current.withLock { $0 } }
    func advance(seconds: Int64) { current.withLock { $0 = $0.adding(seconds: seconds) } }
    func advance(milliseconds: Int64) {
        current.withLock { $0 = UnixTime(milliseconds: $0.milliseconds + milliseconds) }
    }
}

/// The text of a token's two JSON parts: that of a good token, with some members replaced or taken out.
struct TestToken: Sendable {
    var header = ["alg": #""RS256""#, "typ": #""JWT""#, "kid": #""ins_1""#]
    var claims = [
        "sub": #""user_2abc""#, "iss": #""https://clerk.example.com""#, "azp": #""https://example.com""#,
        "sid": #""sess_1""#, "iat": "\(testNow)", "nbf": "\(testNow - 10)", "exp": "\(testNow + 60)", "v": "2",
    ]

    /// Replaces members by raw JSON; nil takes one out.
    init(header: [String: String?] = [:], claims: [String: String?] = [:]) {
        for (name, value) in header { self.header[name] = value }
        for (name, value) in claims { self.claims[name] = value }
    }

    var headerText: String { Self.object(header) }
    var payloadText: String { Self.object(claims) }

    func signed(by key: TestKey = .first) async throws -> String {
        try await key.token(header: headerText, payload: payloadText)
    }

    private static func object(_ members: [String: String]) -> String {
        "{" + members.map { #""\#($0.key)":\#($0.value)"# }.joined(separator: ",") + "}"
    }
}

extension TokenAuthenticator {
    /// Why `token` is refused, or nil when it is not.
    func refusal(of token: String) async -> AuthenticationFailure.Reason? {
        do {
            _ = try await authenticate(token: token)
            return nil
        } catch {
            return error.reason
        }
    }
}
