import Hiredis
package import RedisClient
package import TollgateCore

/// The days of a user in Redis: a hash for each, which admission writes.
package struct RedisUsageHistory: UsageHistory {
    /// Fields that Redis is asked for at a time: it answers no other call meanwhile. A day has a field for each of the
    /// operator's routes that charged the user, and is read as a whole.
    private static let fieldsAtATime = 1024

    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    package func days(
        _ count: Int, until last: CalendarDay, of user: UserID
    ) async throws(StoreUnavailable) -> [UsageDay] {
        let days = (0..<min(max(1, count), UsageDay.keptDays)).reversed().map { age in
            CalendarDay(containing: last.startOfDay.adding(seconds: -86_400 * Int64(age)))
        }
        let keys = days.map { RedisKey.usage(user, on: $0) }
        let sizes = try await client.ask(all: keys.map { RedisCommand("HLEN", $0) }).map { Int($0.integer ?? 0) }
        var found: [UsageDay] = []
        for part in Self.parts(ofSizes: sizes) {
            let replies = try await client.ask(all: keys[part].map { RedisCommand("HGETALL", $0) })
            found += zip(days[part], replies).map { UsageDay(day: $0, calls: Self.calls(in: $1.array ?? [])) }
        }
        return found
    }

    /// Which days are read at a time, of days that have so many fields: as many as have few fields together, or one.
    package static func parts(ofSizes sizes: [Int]) -> [Range<Int>] {
        var parts: [Range<Int>] = []
        var (start, fields) = (0, 0)
        for (place, size) in sizes.enumerated() {
            if place > start, fields + size > fieldsAtATime {
                parts.append(start..<place)
                (start, fields) = (place, 0)
            }
            fields += size
        }
        return sizes.isEmpty ? [] : parts + [start..<sizes.count]
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
