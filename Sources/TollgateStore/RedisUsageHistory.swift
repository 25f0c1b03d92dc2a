import Hiredis
package import RedisClient
package import TollgateCore

/// The days of users in Redis, which admission writes: a hash for each ten days of a month. One for each day would take
/// several times the memory; of one for a month, a call at its end would search three times as many fields.
package struct RedisUsageHistory: UsageHistory {
    /// Fields that Redis is asked for at a time: it answers no other call meanwhile. A hash has a field for each day and
    /// each of the operator's routes that charged the user then.
    private static let fieldsAtATime = 1024

    /// Months that are asked for at a time: Redis reads them together, and serves no other meanwhile.
    private static let monthsAtATime = 25

    private static let script = NamedScript<ReadUsageSignature>(
        "read_usage.lua", resource: PackageResources.read_usage_lua)

    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    package func days(
        _ count: Int, until last: CalendarDay, of user: UserID
    ) async throws(StoreUnavailable) -> [UsageDay] {
        let days = (0..<min(max(1, count), UsageDay.keptDays)).reversed().map { age in
            last.days(before: age)
        }
        let firstDays = days.reduce(into: [CalendarDay]()) { firstDays, day in
            let first = BillingPeriod(containing: day).firstDay
            if firstDays.last != first { firstDays.append(first) }
        }
        var counted: [CalendarDay: UsageDay] = [:]
        for month in try await months(firstDays.map { (user, $0) }) {
            for day in month.days { counted[day.day] = day }
        }
        return days.map { counted[$0] ?? UsageDay(day: $0, calls: [:]) }
    }

    /// What was counted in months: of each, which is told by any day of it, for the user beside it, in their order.
    package func months(_ wanted: [(UserID, CalendarDay)]) async throws(StoreUnavailable) -> [UserMonth] {
        var months: [UserMonth] = []
        for start in stride(from: 0, to: wanted.count, by: Self.monthsAtATime) {
            let part = wanted[start..<min(start + Self.monthsAtATime, wanted.count)]
            let replies = try await client.ask(all: part.map { Self.call($0.1, of: $0.0) })
            for ((user, day), reply) in zip(part, replies) { months.append(try await month(day, of: user, in: reply)) }
        }
        return months
    }

    private static func call(_ day: CalendarDay, of user: UserID) -> RedisScript.Call {
        script.call { _ in
            .usage(user)
        } with: { argument in
            switch argument {
            case .month: String(day.description.dropLast("-26".count))
            case .maximumFields: "\(fieldsAtATime)"
            }
        }
    }

    private func month(
        _ day: CalendarDay, of user: UserID, in reply: RedisReply
    ) async throws(StoreUnavailable) -> UserMonth {
        guard let parts = reply.array else { throw Self.script.unexpectedReply() }
        var counts = UsageCounts()
        for index in stride(from: 0, to: parts.count - 1, by: 2) {
            guard let hash = parts[index].string.flatMap({ UsageHash($0, inMonthOf: day, of: user) }) else {
                throw Self.script.unexpectedReply()
            }
            if let fields = parts[index + 1].array {
                counts.add(fields, of: hash)
            } else {
                counts.add(try await scan(hash.key), of: hash)
            }
        }
        return UserMonth(userID: user, firstDay: BillingPeriod(containing: day).firstDay, days: counts.days)
    }

    /// All of a hash that has more fields than Redis is asked for at a time. It may tell a field twice.
    private func scan(_ key: RedisKey) async throws(StoreUnavailable) -> [RedisReply] {
        var (fields, cursor) = ([String: RedisReply](), "0")
        repeat {
            let command = RedisCommand("HSCAN", key, cursor, "COUNT", "\(Self.fieldsAtATime)")
            guard let reply = try await client.ask(all: [command])[0].array, reply.count == 2,
                let next = reply[0].string, let words = reply[1].array
            else { throw .unexpectedReply(of: "HSCAN") }
            for index in stride(from: 0, to: words.count - 1, by: 2) {
                if let field = words[index].string { fields[field] = words[index + 1] }
            }
            cursor = next
        } while cursor != "0"
        return fields.flatMap { [.bytes(Array($0.key.utf8)), $0.value] }
    }
}

/// What `read_usage.lua` is given.
private enum ReadUsageSignature: ScriptSignature {
    enum Key: String, ScriptName { case usage }

    enum Argument: String, ScriptName {
        /// YYYY-MM
        case month

        /// Of a hash that is told as a whole.
        case maximumFields
    }

    /// It answers none.
    enum Outcome: String, ScriptName { case none }
}
