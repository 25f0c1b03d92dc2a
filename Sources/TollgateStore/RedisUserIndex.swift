import Hiredis
package import RedisClient
import Synchronization
package import TollgateCore

/// All users who have called, by the day of their last call, and those who have bought something or made a key: what lists and exports go through. It is kept by the workers'
/// reports, of what admissions tell them: no command of a call is spent on it.
package struct RedisUserIndex: Sendable {
    /// Users that are forgotten after so long without a call, as their history is.
    package static let keptSeconds: Int64 = 400 * 86_400

    /// Users that are added with one command.
    private static let usersAtATime = 500

    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    /// Adds users who have called, or about whom something was decided.
    package func add(_ users: [UserID], at time: UnixTime) async throws(StoreUnavailable) {
        for start in stride(from: 0, to: users.count, by: Self.usersAtATime) {
            let words = users[start..<min(users.count, start + Self.usersAtATime)].flatMap {
                ["\(time.seconds)", $0.value]
            }
            _ = try await client.ask(RedisCommand("ZADD", .users, words))
        }
    }

    /// Adds one who has bought something or made a key, and has perhaps not called yet.
    package func addNew(_ user: UserID, at time: UnixTime) async throws(StoreUnavailable) {
        _ = try await client.ask(RedisCommand("ZADD", .users, "NX", "\(time.seconds)", user.value))
    }

    /// Forgets those who have not called for ``keptSeconds``.
    package func forgetOld(at time: UnixTime) async throws(StoreUnavailable) {
        _ = try await client.ask(
            RedisCommand("ZREMRANGEBYSCORE", .users, "-inf", "(\(time.seconds - Self.keptSeconds)"))
    }

    package func remove(_ user: UserID) async throws(StoreUnavailable) {
        _ = try await client.ask(RedisCommand("ZREM", .users, user.value))
    }

    package func count() async throws(StoreUnavailable) -> Int {
        Int(try await client.ask(RedisCommand("ZCARD", .users)).integer ?? 0)
    }

    /// A user in the index, and where.
    package struct Entry: Sendable, Hashable {
        package let user: UserID

        /// Seconds since 1970 of the first call of the last day with any, as a worker has told it.
        package let score: Double

        package init(user: UserID, score: Double) {
            self.user = user
            self.score = score
        }

        /// For a caller who comes back for what follows: `1764198000:user_abc`.
        package var text: String { "\(Int64(exactly: score).map { "\($0)" } ?? "\(score)"):\(user.value)" }

        /// Nil for what ``text`` has not made.
        package init?(_ text: String) {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let score = Double(parts[0]), score.isFinite, let user = UserID(String(parts[1]))
            else { return nil }
            self.init(user: user, score: score)
        }
    }

    private static let listScript = NamedScript<ListUsersSignature>(
        "list_users.lua", resource: PackageResources.list_users_lua)

    /// A part of the users, those who called last first. Who calls while a list is gone through moves before its
    /// beginning: such a user is told where they stood before, or not at all.
    ///
    /// - Parameter last: The end of the part before, who need not be in the index any more. Nil for the first part.
    package func users(after last: Entry?, maximumCount: Int) async throws(StoreUnavailable) -> [Entry] {
        let reply = try await client.ask(
            Self.listScript.call { _ in
                .users
            } with: { argument in
                switch argument {
                case .score: last.map { "\($0.score)" } ?? ""
                case .user: last?.user.value ?? ""
                case .count: "\(maximumCount)"
                }
            })
        guard let words = reply.array else { throw Self.listScript.unexpectedReply() }
        return stride(from: 0, to: words.count - 1, by: 2).reversed().compactMap { place in
            guard let user = words[place].string.flatMap({ UserID($0) }),
                let score = words[place + 1].string.flatMap({ Double($0) })
            else { return nil }
            return Entry(user: user, score: score)
        }
    }

    private static let scanScript = NamedScript<ScanUsersSignature>(
        "scan_users.lua", resource: PackageResources.scan_users_lua)

    /// The next users of a pass through all. Nil at its end. A part may be empty.
    ///
    /// - Parameter count: About so many.
    /// - Throws: Also when another Redis answers than at the beginning: the pass cannot be ended there.
    package func next(of scan: inout UserScan, count: Int) async throws(StoreUnavailable) -> [UserID]? {
        guard let cursor = scan.cursor else { return nil }
        let reply = try await client.ask(
            Self.scanScript.call { _ in
                .users
            } with: { argument in
                switch argument {
                case .cursor: cursor
                case .count: "\(count)"
                }
            })
        guard let parts = reply.array, parts.count == 3, let server = parts[0].string, let next = parts[1].string,
            let names = parts[2].array
        else { throw Self.scanScript.unexpectedReply() }
        guard let users = scan.took(names.compactMap { $0.string.flatMap { UserID($0) } }, of: server, next: next)
        else { throw StoreUnavailable(reason: UserScan.otherServer) }
        return users
    }
}

/// A pass through all users of the index, in an order that calls do not change: that of Redis' hash table. So who is in the
/// index all the while is told, however often they move in it
/// (https://redis.io/docs/latest/commands/scan/#scan-guarantees).
package struct UserScan: Sendable {
    /// Why a pass cannot go on.
    package static let otherServer =
        "Redis was restarted, or another has taken its place, while its users were read. Begin again."

    /// Parts whose users are remembered. Redis tells users again when its table becomes smaller: some of those whom it has
    /// told last, as many as its size before is of that after.
    package static let rememberedParts = 8

    /// Where the next part begins. Nil at the end.
    package private(set) var cursor: String? = "0"

    private var server: String?
    private var latest: [Set<UserID>] = []

    package init() {}

    /// A part was read.
    ///
    /// - Parameters:
    ///   - server: Which Redis has told it.
    ///   - next: Its next cursor.
    /// - Returns: Those of `users` who have not been told yet. Nil when the pass cannot go on.
    package mutating func took(_ users: [UserID], of server: String, next: String) -> [UserID]? {
        guard self.server == nil || self.server == server else { return nil }
        self.server = server
        cursor = next == "0" ? nil : next
        var told: Set<UserID> = []
        let new = users.filter { user in
            !latest.contains { $0.contains(user) } && told.insert(user).inserted
        }
        latest.append(told)
        if latest.count > Self.rememberedParts { latest.removeFirst() }
        return new
    }
}

/// What `list_users.lua` is given.
private enum ListUsersSignature: ScriptSignature {
    enum Key: String, ScriptName { case users }
    enum Argument: String, ScriptName { case score, user, count }

    /// It answers none.
    enum Outcome: String, ScriptName { case none }
}

/// What `scan_users.lua` is given.
private enum ScanUsersSignature: ScriptSignature {
    enum Key: String, ScriptName { case users }
    enum Argument: String, ScriptName { case cursor, count }

    /// It answers none.
    enum Outcome: String, ScriptName { case none }
}

/// Users who have called for the first time on a day, as admissions tell: to be added to ``RedisUserIndex`` soon.
package final class FirstCallers: Sendable {
    /// Users that are remembered at a time. Those beyond are added when they call on another day.
    private static let maximumCount = 100_000

    private let users = Mutex<Set<UserID>>([])

    package init() {}

    package func add(_ added: [UserID]) {
        users.withLock { users in users.formUnion(added.prefix(max(0, Self.maximumCount - users.count))) }
    }

    /// All since the last time.
    package func take() -> [UserID] {
        users.withLock { users in
            defer { users = [] }
            return Array(users)
        }
    }
}
