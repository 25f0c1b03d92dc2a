import Hiredis
package import RedisClient
package import TollgateCore

/// What operators have changed, in the stream `audit`: the last ``maximumEntries``.
package struct RedisAuditLog: Sendable {
    package static let maximumEntries = 100_000

    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    /// - Returns: The id of the entry.
    package func add(_ entry: AuditEntry) async throws(StoreUnavailable) -> String {
        var words = ["time", entry.time.iso8601, "who", entry.who, "action", entry.action]
        let state = entry.isBegun ? Self.begun : nil
        for (name, value) in [
            ("subject", entry.subject), ("before", entry.before), ("after", entry.after), ("state", state),
        ] {
            if let value { words += [name, value] }
        }
        let reply = try await client.ask(
            RedisCommand("XADD", .audit, ["MAXLEN", "~", "\(Self.maximumEntries)", "*"] + words))
        guard let id = reply.string else { throw .unexpectedReply(of: "XADD") }
        return id
    }

    package func remove(_ id: String) async throws(StoreUnavailable) {
        _ = try await client.ask(RedisCommand("XDEL", .audit, id))
    }

    private static let begun = "begun"

    /// Those that are wanted, the newest first.
    ///
    /// - Parameters:
    ///   - before: The `next` of the page before. Nil for the newest.
    ///   - isWanted: Nil when all are.
    /// - Returns: A page, and the id behind which the next one begins. Nil where nothing follows.
    package func entries(
        before: String?, maximumCount: Int, where isWanted: ((AuditEntry) -> Bool)? = nil
    ) async throws(StoreUnavailable) -> (entries: [AuditEntry], next: String?) {
        var (found, last): ([AuditEntry], String?) = ([], before)
        // Where all are wanted no more is read than is shown.
        let count = isWanted == nil ? maximumCount : Self.readAtATime
        while true {
            let page = try await read(count, before: last)
            for (id, entry) in page {
                last = id
                if isWanted?(entry) ?? true { found.append(entry) }
                if found.count == maximumCount { return (found, id) }
            }
            if page.count < count { return (found, nil) }
        }
    }

    private static let readAtATime = 1000

    private func read(_ count: Int, before: String?) async throws(StoreUnavailable) -> [(id: String, entry: AuditEntry)]
    {
        let reply = try await client.ask(
            RedisCommand(
                "XREVRANGE", .audit, before.map { "(\($0)" } ?? "+", "-", "COUNT", "\(count)"))
        guard let entries = reply.array else { throw .unexpectedReply(of: "XREVRANGE") }
        return entries.compactMap { entry in
            guard let parts = entry.array, parts.count == 2, let id = parts[0].string,
                let fields = parts[1].array?.hashFields
            else { return nil }
            return (
                id,
                AuditEntry(
                    time: fields["time"].flatMap { UnixTime(iso8601: $0) } ?? UnixTime(seconds: 0),
                    who: fields["who"] ?? "?", action: fields["action"] ?? "?", subject: fields["subject"],
                    before: fields["before"], after: fields["after"], isBegun: fields["state"] == Self.begun)
            )
        }
    }
}
