import Hiredis
package import RedisClient
package import TollgateCore

/// The days of a user in Redis: a hash for each, which admission writes.
package struct RedisUsageHistory: UsageHistory {
    private static let script = RedisScript(resource: PackageResources.read_days_lua)

    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    package func days(
        _ count: Int, until last: CalendarDay, of user: UserID
    ) async throws(StoreUnavailable) -> [UsageDay] {
        let days = (0..<min(max(1, count), UsageDay.keptDays)).reversed().map { age in
            CalendarDay(containing: last.startOfDay.adding(seconds: -86_400 * Int64(age)))
        }
        var found: [UsageDay] = []
        // One answer has the first days that are left: mostly all, fewer for a user of very many routes.
        while found.count < days.count {
            let left = days[found.count...]
            let reply = try await client.ask(
                RedisScript.Call(Self.script, on: left.map { RedisKey.usage(user, on: $0) }, arguments: []))
            guard let elements = reply.array, !elements.isEmpty else { throw .unexpectedReply(of: "read_days.lua") }
            // A cluster's scripts are given one key more than they are asked about.
            found += zip(left, elements).map { UsageDay(day: $0, calls: Self.calls(in: $1.array ?? [])) }
        }
        return found
    }

    /// What is no count is left out: another client of Redis may have written it.
    private static func calls(in fields: [RedisReply]) -> [String: Int] {
        var calls: [String: Int] = [:]
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            guard let route = fields[index].string, let count = fields[index + 1].string.flatMap({ Int($0) }),
                count > 0
            else { continue }
            calls[route] = count.clamped(to: UsageSnapshot.countRange)
        }
        return calls
    }
}
