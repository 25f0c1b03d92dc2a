import NIOCore
import RedisClient
import TollgateCore

/// The name of a key of one user, in the parts that it is made of: the hot path writes them one after another, and
/// makes no string of them.
struct KeyName: CustomStringConvertible {
    private let kind: String
    private let user: String
    private let rest: (String, String, String, String)

    init(
        _ kind: String, _ user: UserID, _ first: String = "}", _ second: String = "", _ third: String = "",
        _ fourth: String = ""
    ) {
        self.kind = kind
        self.user = user.value
        rest = (first, second, third, fourth)
    }

    var description: String { kind + user + rest.0 + rest.1 + rest.2 + rest.3 }

    func write(to buffer: inout ByteBuffer) {
        buffer.writeArgument(parts: kind, user, rest.0, rest.1, rest.2, rest.3)
    }
}

/// The keys that admission touches. ``Keys`` says what they hold.
extension KeyName {
    static func usage(_ user: UserID) -> KeyName { KeyName("usage:{", user) }

    static func subscription(_ user: UserID) -> KeyName { KeyName("subscription:{", user) }

    static func rateLimit(_ user: UserID, minute: String) -> KeyName { KeyName("ratelimit:{", user, "}:", minute) }

    static func rateLimit(_ user: UserID, route: String, minute: String) -> KeyName {
        KeyName("ratelimit:{", user, "}:", route, ":", minute)
    }

    static func idempotency(_ user: UserID, key: String) -> KeyName {
        KeyName("idempotency:{", user, "}:{", key, "}")
    }

    static func key(_ id: KeyID, of user: UserID) -> KeyName { KeyName("key:{", user, "}:{", id.value, "}") }

    static func apiKey(of user: UserID) -> KeyName { KeyName("user:{", user, "}:apiKey") }

    static func previousAPIKey(of user: UserID) -> KeyName { KeyName("user:{", user, "}:previousApiKey") }
}
