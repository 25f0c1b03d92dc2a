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
        var (found, last, looks): ([Entry], String?, Int) = ([], nil, 0)
        while found.count < maximumCount, looks < Self.maximumEntries * 2 {
            let reply = try await client.ask(
                RedisCommand(
                    "XREVRANGE", .requests, last.map { "(\($0)" } ?? "+", "-", "COUNT", "\(Self.pageSize)"))
            guard let page = reply.array else { throw .unexpectedReply(of: "XREVRANGE") }
            for element in page {
                guard let parts = element.array, parts.count == 2, let fields = parts[1].array?.hashFields else {
                    continue
                }
                let entry = Entry(fields: fields)
                if isWanted(entry), found.count < maximumCount { found.append(entry) }
            }
            looks += page.count
            last = page.last?.array?.first?.string
            if page.count < Self.pageSize || last == nil { break }
        }
        return found
    }
}
