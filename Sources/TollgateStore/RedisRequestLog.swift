import Hiredis
package import RedisClient
package import TollgateCore

/// Requests that workers have told of lately, in the stream `requests`: all refusals and failures, as far as there is room,
/// and some of those that passed.
package struct RedisRequestLog: Sendable {
    package static let maximumEntries = 10_000

    /// Entries that are read at a time.
    private static let pageSize = 500

    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    /// What is told of a request, by name. No more than that of ``fields`` is read again.
    package struct Entry: Sendable, Hashable {
        package let fields: [String: String]

        package init(fields: [String: String]) { self.fields = fields }

        package subscript(name: String) -> String? { fields[name] }
    }

    package func add(_ entries: [Entry]) async throws(StoreUnavailable) {
        guard !entries.isEmpty else { return }
        _ = try await client.ask(
            all: entries.map { entry in
                let words = entry.fields.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
                return RedisCommand("XADD", .requests, ["MAXLEN", "~", "\(Self.maximumEntries)", "*"] + words)
            })
    }

    /// Those that are wanted, the newest first.
    package func entries(
        maximumCount: Int, where isWanted: (Entry) -> Bool
    ) async throws(StoreUnavailable) -> [Entry] {
        var found: [Entry] = []
        try await eachPage { page async throws(StoreUnavailable) in
            found += page.map(\.entry).filter(isWanted).prefix(maximumCount - found.count)
            return found.count < maximumCount
        }
        return found
    }

    /// All of a user, the newest first.
    package func entries(of user: UserID) async throws(StoreUnavailable) -> [Entry] {
        try await entries(maximumCount: Self.maximumLooks) { $0["user"] == user.value }
    }

    /// Deletes those of a user.
    package func forget(_ user: UserID) async throws(StoreUnavailable) {
        try await eachPage { page async throws(StoreUnavailable) in
            let ids = page.filter { $0.entry["user"] == user.value }.map(\.id)
            if !ids.isEmpty { _ = try await client.ask(RedisCommand("XDEL", .requests, ids)) }
            return true
        }
    }

    /// Entries that are looked at in one go. The stream may be a little longer than it is to be.
    private static let maximumLooks = maximumEntries * 2

    /// Goes through the stream, the newest first.
    ///
    /// - Parameter visit: Says whether to go on.
    private func eachPage(
        _ visit: ([(id: String, entry: Entry)]) async throws(StoreUnavailable) -> Bool
    ) async throws(StoreUnavailable) {
        var (last, looks): (String?, Int) = (nil, 0)
        while looks < Self.maximumLooks {
            let reply = try await client.ask(
                RedisCommand(
                    "XREVRANGE", .requests, last.map { "(\($0)" } ?? "+", "-", "COUNT", "\(Self.pageSize)"))
            guard let elements = reply.array else { throw .unexpectedReply(of: "XREVRANGE") }
            let page = elements.compactMap { element -> (id: String, entry: Entry)? in
                guard let parts = element.array, parts.count == 2, let id = parts[0].string,
                    let fields = parts[1].array?.hashFields
                else { return nil }
                return (id, Entry(fields: fields))
            }
            guard try await visit(page), elements.count == Self.pageSize, let oldest = page.last?.id else { return }
            (last, looks) = (oldest, looks + elements.count)
        }
    }
}
