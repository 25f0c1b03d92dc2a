/// Why there is no connection to Redis, and what to do about it.
struct ConnectionDiagnosis: Sendable {
    /// As the client tells it.
    let reason: String

    /// What the reason says, in the order in which it is looked for: a word of Redis' own comes first.
    private static let kinds: [(words: [String], code: String, remedy: String)] = [
        (
            ["the password file", "the password was not read"], "login",
            "Correct REDIS_PASSWORD_FILE, or have the file written again."
        ),
        (
            ["does not name the host", "certificate does not name"], "encryption",
            "Begin REDIS_URL with a name that the certificate has, or have it issued for this one."
        ),
        (
            ["WRONGPASS", "invalid password", "invalid username-password"], "login",
            "Correct user and password: in REDIS_URL, where what is no letter or digit is percent-encoded, or in "
                + "REDIS_PASSWORD_FILE or REDIS_SENTINEL_PASSWORD. ACL LIST shows the users; without one, it is 'default'."
        ),
        (
            ["NOAUTH", "HELLO must be called"], "login",
            "Give the password in REDIS_URL: redis://[user]:password@host."
        ),
        (
            ["without any password configured", "AUTH <password> called"], "login",
            "Redis has no password: take it out of REDIS_URL, or set one with requirepass or ACL SETUSER."
        ),
        (
            ["max number of clients", "max number of connections"], "connection",
            "Raise maxclients, and the limit of open files that Redis runs with; CLIENT LIST shows who is connected."
        ),
        (
            ["DENIED", "protected mode"], "connection",
            "Redis takes no client of another machine as long as it has no password: set one, and give it in REDIS_URL."
        ),
        (
            ["NOPERM"], "login",
            "Give the user what it lacks, as deploy/redis/users.acl does: ACL SETUSER <user> +<command>, at every server."
        ),
        (
            ["unknown command 'TIME'", "unknown command `TIME`"], "connection",
            "That is a sentinel: begin REDIS_URL with redis-sentinel:// and end it with the primary's name."
        ),
        (
            ["cluster support disabled"], "connection",
            "That is no cluster: begin REDIS_URL with redis://, or rediss:// for TLS."
        ),
        (["LOADING"], "connection", "Wait until Redis has read its data."),
        (["MASTERDOWN", "READONLY"], "connection", "Have REDIS_URL lead to the primary."),
        (["no sentinel knows"], "connection", "Correct the sentinels' addresses, their login and the primary's name."),
        (
            ["was not resolved", "has no address", "has no resolver"], "connection",
            "Correct the host in REDIS_URL, or the name service that this machine asks."
        ),
        (
            ["does not speak TLS"], "encryption",
            "Redis does not speak TLS at this port: begin REDIS_URL with redis://, or give the port of tls-port."
        ),
        (
            ["certificate is not trusted"], "encryption",
            "Give the authority that signed Redis' certificate in REDIS_CA_FILE, and renew a certificate that has ended; it "
                + "has to name the host in REDIS_URL."
        ),
        (
            ["asks for another certificate"], "encryption",
            "Redis asks for a certificate: give it in REDIS_CERT_FILE and REDIS_KEY_FILE, or set tls-auth-clients no."
        ),
        (
            ["handshake", "SSL", "TLS"], "encryption",
            "Compare REDIS_CA_FILE, REDIS_CERT_FILE and the host in REDIS_URL with Redis' certificate."
        ),
        (
            ["refused"], "connection",
            "Start Redis there, or correct host and port in REDIS_URL; Redis listens where its bind and port say."
        ),
        (["no such file"], "connection", "Correct the path in REDIS_URL; redis.conf has it as unixsocket."),
        (["ermission denied"], "connection", "Let this user use the socket: unixsocketperm in redis.conf."),
        (
            ["does not take the connection", "no way leads there"], "connection",
            "See whether a firewall drops the packets, and whether the host is up."
        ),
        (
            ["does not answer"], "connection",
            "Redis hangs, or something else listens there, such as TLS at a port that is asked without it: see redis-cli "
                + "-u and Redis' log."
        ),
        (
            ["closed the connection", "connection was closed", "reset"], "connection",
            "Something else listens there, or Redis wants TLS at this port: begin REDIS_URL with rediss:// then."
        ),
    ]

    /// Whether it may be about TLS at one of the two ends alone.
    var mayBeOfTLS: Bool {
        ["does not answer", "closed the connection", "connection was closed", "reset", "TLS", "handshake"].contains {
            reason.contains($0)
        }
    }

    /// Whether it was Redis that said so.
    var isOfRedis: Bool { ["NOAUTH", "DENIED", "LOADING", "max number"].contains { reason.contains($0) } }

    func finding(place: String) -> Finding {
        let kind = Self.kinds.first { kind in kind.words.contains { reason.contains($0) } }
        return .fail(
            .redis, kind?.code ?? "connection", "\(place): \(reason)",
            remedy: kind?.remedy ?? "See whether redis-cli -u can connect from this machine.")
    }
}
