import PercentCoding

/// Where Redis is and how to log in, as a `REDIS_URL` says it.
///
/// - `redis://[user:password@]host[:port][/database]`
/// - `rediss://…`, the same over TLS
/// - `unix:///path/to/socket[?db=2]`, with the login in front of the path: `unix://user:password@/path`
/// - `redis-sentinel://[user:password@]host[:port][,host[:port]…]/primary[/database]`: the hosts are sentinels, who tell
///   where the primary of that name is
/// - `rediss-sentinel://…`, the same with TLS to both
/// - `redis-cluster://[user:password@]host[:port][,host[:port]…]`: the hosts are some of a cluster's servers, who tell
///   where the others are
/// - `rediss-cluster://…`, the same over TLS
///
/// The forms are those of redis-cli's `-u` and of the common clients. User and password may be percent-encoded.
package struct RedisEndpoint: Sendable, Hashable {
    package enum Address: Sendable, Hashable {
        case tcp(host: String, port: Int)
        case unixSocket(path: String)
        case sentinels(SentinelGroup)
        case cluster(ClusterSeeds)
    }

    package struct Login: Sendable, Hashable {
        /// The ACL user. Nil logs in as `default`.
        package let username: String?
        package let password: String?

        package init(username: String?, password: String?) {
            self.username = username
            self.password = password
        }
    }

    package var login: Login { Login(username: username, password: password) }

    package let address: Address
    package let usesTLS: Bool

    /// The ACL user. Nil logs in as `default`.
    package let username: String?
    package let password: String?
    package let database: Int

    static let defaultPort = 6379

    package init(
        address: Address, usesTLS: Bool = false, username: String? = nil, password: String? = nil, database: Int = 0
    ) {
        self.address = address
        self.usesTLS = usesTLS
        self.username = username
        self.password = password
        self.database = database
    }

    /// Reads a `REDIS_URL`.
    ///
    /// - Parameter hasPasswordElsewhere: Whether a user may stand there without a password.
    package init(url: String, hasPasswordElsewhere: Bool = false) throws(RedisURLProblem) {
        guard let schemeEnd = url.firstRange(of: "://") else { throw .notAURL }
        let scheme = url[..<schemeEnd.lowerBound].lowercased()
        var rest = url[schemeEnd.upperBound...]
        let login = try Self.takeLogin(
            &rest, needsPassword: !hasPasswordElsewhere, ofSeveral: scheme.contains("-"))
        switch scheme {
        case "redis", "rediss":
            let (authority, path) = rest.splitOnce(at: "/")
            self.init(
                address: try Self.tcpAddress(authority), usesTLS: scheme == "rediss",
                username: login.username, password: login.password, database: try Self.database(path ?? ""))
        case "redis-sentinel", "rediss-sentinel":
            let (authority, path) = rest.splitOnce(at: "/")
            let (primary, database) = (path ?? "").splitOnce(at: "/")
            self.init(
                address: .sentinels(try Self.sentinels(authority, primary: primary)),
                usesTLS: scheme == "rediss-sentinel", username: login.username, password: login.password,
                database: try Self.database(database ?? ""))
        case "redis-cluster", "rediss-cluster":
            let (authority, path) = rest.splitOnce(at: "/")
            // A cluster has no other.
            guard try Self.database(path ?? "") == 0 else { throw .databaseOfCluster }
            self.init(
                address: .cluster(try Self.seeds(authority)), usesTLS: scheme == "rediss-cluster",
                username: login.username, password: login.password)
        case "unix":
            let (path, query) = rest.splitOnce(at: "?")
            guard path.hasPrefix("/") else { throw .socketPathNotAbsolute }
            guard path.utf8.count <= maximumSocketPathBytes else { throw .socketPathTooLong }
            self.init(
                address: .unixSocket(path: String(path)), username: login.username, password: login.password,
                database: try Self.database(fromQuery: query ?? ""))
        default:
            throw .unknownScheme(String(scheme.prefix(20)))
        }
    }

    /// The place without the login, for logs.
    package var description: String {
        switch address {
        case .tcp(let host, let port): "\(usesTLS ? "rediss" : "redis")://\(host):\(port)/\(database)"
        case .unixSocket(let path): "unix://\(path)"
        case .sentinels(let group):
            "\(usesTLS ? "rediss" : "redis")-sentinel://"
                + group.places.map { "\($0.host):\($0.port)" }.joined(separator: ",")
                + "/\(group.primary)/\(database)"
        case .cluster(let seeds):
            "\(usesTLS ? "rediss" : "redis")-cluster://"
                + seeds.nodes.map(\.description).joined(separator: ",")
        }
    }
}

/// `sockaddr_un.sun_path` holds 108 bytes on Linux, the last one a NUL.
private let maximumSocketPathBytes = 107

extension RedisEndpoint {
    /// Takes `user:password@` off the front. The last `@` before the path ends it, since passwords may hold one.
    private static func takeLogin(
        _ rest: inout Substring, needsPassword: Bool, ofSeveral isOfSeveral: Bool
    ) throws(RedisURLProblem) -> (username: String?, password: String?) {
        let authorityEnd = rest.firstIndex(of: "/") ?? rest.endIndex
        guard let at = rest[..<authorityEnd].lastIndex(of: "@") else { return (nil, nil) }
        // A login for each of several hosts would be taken for one.
        guard !isOfSeveral || !rest[..<at].contains("@") else { throw .severalLogins }
        let (user, password) = rest[..<at].splitOnce(at: ":")
        rest = rest[rest.index(after: at)...]
        guard let decodedUser = PercentEncoding.decoded(user),
            let decodedPassword = PercentEncoding.decoded(password ?? "")
        else {
            throw .badPercentEncoding
        }
        // `redis://secret@host` is not a password without a user: redis-cli reads it as a user without a password.
        guard password?.isEmpty == false || !needsPassword else { throw .userWithoutPassword }
        return (decodedUser.isEmpty ? nil : decodedUser, decodedPassword.isEmpty ? nil : decodedPassword)
    }

    private static func sentinels(
        _ authority: Substring, primary: Substring
    ) throws(RedisURLProblem) -> SentinelGroup {
        guard let name = PercentEncoding.decoded(primary), !name.isEmpty, !name.contains(where: \.isWhitespace) else {
            throw .primaryMissing
        }
        let hosts = authority.split(separator: ",", omittingEmptySubsequences: false)
        guard hosts.count <= SentinelGroup.maximumCount else { throw .tooManySentinels }
        var places: [HostAndPort] = []
        for host in hosts {
            let (name, port) = try hostAndPort(host)
            places.append(HostAndPort(host: name, port: port ?? SentinelGroup.defaultPort))
        }
        return SentinelGroup(places: places, primary: name)
    }

    private static func seeds(_ authority: Substring) throws(RedisURLProblem) -> ClusterSeeds {
        let hosts = authority.split(separator: ",", omittingEmptySubsequences: false)
        guard hosts.count <= ClusterSeeds.maximumCount else { throw .tooManyServers }
        var nodes: [HostAndPort] = []
        for host in hosts {
            let (name, port) = try hostAndPort(host)
            nodes.append(HostAndPort(host: name, port: port ?? defaultPort))
        }
        return ClusterSeeds(nodes: nodes)
    }

    private static func tcpAddress(_ authority: Substring) throws(RedisURLProblem) -> Address {
        let (host, port) = try hostAndPort(authority)
        return .tcp(host: host, port: port ?? defaultPort)
    }

    private static func hostAndPort(_ authority: Substring) throws(RedisURLProblem) -> (host: String, port: Int?) {
        var host = authority
        var port: Substring?
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { throw .badHost }
            host = authority[authority.index(after: authority.startIndex)..<close]
            let after = authority[authority.index(after: close)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw .badHost }
            port = after.isEmpty ? nil : after.dropFirst()
        } else {
            (host, port) = authority.splitOnce(at: ":")
        }
        guard HostAndPort.isHost(String(host)) else { throw .badHost }
        guard let port else { return (String(host), nil) }
        guard port.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(port), (1...65_535).contains(number)
        else { throw .badPort }
        return (String(host), number)
    }

    private static func database(_ path: Substring) throws(RedisURLProblem) -> Int {
        if path.isEmpty { return 0 }
        guard let number = Int(path), (0...16_383).contains(number) else { throw .badDatabase }
        return number
    }

    private static func database(fromQuery query: Substring) throws(RedisURLProblem) -> Int {
        if query.isEmpty { return 0 }
        guard query.hasPrefix("db=") else { throw .badDatabase }
        return try database(query.dropFirst(3))
    }
}

extension RedisEndpoint: CustomStringConvertible, CustomReflectable {
    /// Without the login: what is printed ends up in errors and logs.
    package var customMirror: Mirror { Mirror(self, children: ["address": address]) }
}

extension RedisEndpoint.Login: CustomStringConvertible, CustomReflectable {
    /// Without the password.
    package var description: String { username ?? "default" }

    package var customMirror: Mirror { Mirror(self, children: ["username": username ?? "default"]) }
}

/// What is wrong with a `REDIS_URL`. Never holds a part of it that may be a password.
package enum RedisURLProblem: Error, Sendable, Hashable, CustomStringConvertible {
    case notAURL
    case unknownScheme(String)
    case badHost
    case badPort
    case badDatabase
    case badPercentEncoding
    case userWithoutPassword
    case socketPathNotAbsolute
    case socketPathTooLong
    case primaryMissing
    case tooManySentinels
    case tooManyServers
    case databaseOfCluster
    case severalLogins

    package var description: String {
        switch self {
        case .notAURL: "is not a URL; write redis://host:6379, rediss://host:6379 or unix:///path/to/redis.sock"
        case .unknownScheme(let scheme):
            "has the scheme '\(scheme)'; write redis:// or rediss://, redis-sentinel:// or rediss-sentinel://, "
                + "redis-cluster:// or rediss-cluster://, or unix://"
        case .primaryMissing:
            "does not name the primary that the sentinels watch; write redis-sentinel://host:26379,host:26379/mymaster"
        case .tooManySentinels: "names more than \(SentinelGroup.maximumCount) sentinels"
        case .severalLogins:
            "has several '@'; write the login once, before the first host, and %40 for an '@' in it"
        case .tooManyServers: "names more than \(ClusterSeeds.maximumCount) servers"
        case .databaseOfCluster: "has a database, and a cluster has none but 0; write redis-cluster://host:6379"
        case .badHost: "has no valid host; write redis://host:6379"
        case .badPort:
            "has a port that is not a number from 1 to 65535; in a password, what is no letter or digit is percent-encoded"
        case .badDatabase: "has a database that is not a number; write redis://host:6379/0 or unix:///path?db=0"
        case .badPercentEncoding: "has a user or password with a '%' that is not followed by two hexadecimal digits"
        case .userWithoutPassword:
            "has a user but no password; write redis://user:password@host or redis://:password@host"
        case .socketPathNotAbsolute: "has a socket path that does not begin with '/'; write unix:///path/to/redis.sock"
        case .socketPathTooLong:
            "has a socket path longer than \(maximumSocketPathBytes) bytes, which no system accepts"
        }
    }
}

extension Substring {
    func splitOnce(at separator: Character) -> (Substring, Substring?) {
        guard let index = firstIndex(of: separator) else { return (self, nil) }
        return (self[..<index], self[self.index(after: index)...])
    }
}
