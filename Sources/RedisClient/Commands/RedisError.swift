/// Why a command has no reply that can be used.
package enum RedisError: Error, Sendable, Hashable {
    /// No connection stands. The command was not sent. Carries the reason of the last attempt.
    case notConnected(String)

    /// Other commands wait too long for their replies on this connection. The command was not sent.
    case stalled

    /// Too many commands or bytes wait on this connection. The command was not sent.
    case queueFull

    /// No reply within the command timeout after it was sent. Redis may still carry the command out.
    case timedOut

    /// The connection broke before the reply came. Redis may have carried the command out.
    case connectionLost(String)

    /// Redis answered with an error. `kind` is its first word, such as `NOSCRIPT`, `READONLY` or `OOM`.
    case server(kind: String, message: String)

    /// The command is longer than the client sends. It was not sent.
    case commandTooLong(byteCount: Int)

    /// The caller was cancelled. Redis may still carry the command out.
    case cancelled

    /// The client is shut down or shutting down. The command was not sent.
    case closed
}

extension RedisError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notConnected(let reason): "not connected to Redis: \(reason)"
        case .stalled: "Redis does not answer; the command was not sent"
        case .queueFull: "too many commands wait for Redis"
        case .timedOut: "Redis did not answer in time"
        case .connectionLost(let reason): "the connection to Redis broke: \(reason)"
        case .server(kind: "MOVED", let message):
            "Redis answered: \(message) (it is one of a cluster's servers, for which REDIS_URL begins with redis-cluster://)"
        case .server(_, let message): "Redis answered: \(message)"
        case .commandTooLong(let byteCount): "a command of \(byteCount) bytes is longer than the client sends"
        case .cancelled: "the caller was cancelled"
        case .closed: "the Redis client is shut down"
        }
    }

    /// What a server says that can do nothing for us, whatever it is asked: it is a replica or has lost its primary, is
    /// still loading, wants another login, or is part of a cluster that keeps our keys elsewhere.
    private static let unusableKinds: Set<String> = ["READONLY", "MASTERDOWN", "LOADING", "NOAUTH"]

    /// What a server of a cluster says whose other servers, or who later, can do what is asked.
    private static let redirectingKinds: Set<String> = ["MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN"]

    /// False for an error that says that the server can do nothing for us.
    package var leavesServerUsable: Bool {
        guard case .server(let kind, _) = self else { return true }
        return !Self.unusableKinds.contains(kind) && !Self.redirectingKinds.contains(kind)
    }

    /// Whether the connection is given up because of it: the name may lead to another server by now.
    ///
    /// - Parameter isClusterNode: Whether the server is known to be one of a cluster's.
    func endsConnection(toClusterNode isClusterNode: Bool) -> Bool {
        guard case .server(let kind, _) = self else { return false }
        return Self.unusableKinds.contains(kind) || !isClusterNode && Self.redirectingKinds.contains(kind)
    }

    /// The script may be run, and Redis does not know its text.
    var isUnknownScript: Bool {
        if case .server(kind: "NOSCRIPT", _) = self { true } else { false }
    }

    /// What is shown of a server's words: people read them in terminals and logs.
    private static let maximumShown = 512

    private static func printable(_ text: String) -> String {
        var shown = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(maximumShown) {
            shown.append(scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar)
        }
        return String(shown)
    }

    /// The error that Redis' error reply `message` stands for.
    init(reply message: String) {
        let message = Self.printable(message)
        let kind = message.prefix { $0 != " " }
        self = .server(kind: String(kind), message: message)
    }
}
