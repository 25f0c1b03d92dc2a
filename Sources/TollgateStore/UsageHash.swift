import Hiredis
import RedisClient
import TollgateCore

/// A hash that days of a user's history are in, and how its fields tell them.
struct UsageHash: Sendable {
    let key: RedisKey

    /// The first of the ten days that it holds; where fields name no day, the one that it holds.
    private let day: CalendarDay
    private let holdsTenDays: Bool

    /// How many days the release before kept what it wrote.
    static let formerDays = 32

    /// - Parameters:
    ///   - rest: What follows the month in its name: a digit for ten days, or two for a day as the release before wrote it.
    ///   - month: Any day of the month.
    init?(_ rest: String, inMonthOf month: CalendarDay, of user: UserID) {
        guard let number = Int(rest), number >= 0 else { return nil }
        holdsTenDays = rest.utf8.count == 1
        day = CalendarDay(year: month.year, month: month.month, day: holdsTenDays ? max(1, number * 10) : number)
        key = holdsTenDays ? .usage(user, inTenDaysOf: day) : .formerUsage(user, on: day)
    }

    /// The names of all hashes that `days` are in, and of those that the release before may have left.
    static func keys(of days: [CalendarDay], of user: UserID) -> [RedisKey] {
        let tenDays = days.reduce(into: [RedisKey]()) { keys, day in
            let key = RedisKey.usage(user, inTenDaysOf: day)
            if keys.last != key { keys.append(key) }
        }
        return tenDays + days.suffix(formerDays + 1).map { .formerUsage(user, on: $0) }
    }

    /// What the scripts that write them are told: `HISTORY_SECONDS` from the first call of a day on, after which the whole
    /// hash ends. The day itself comes on top.
    static var luaNames: String { Lua.assign(["HISTORY_SECONDS"], [(UsageDay.keptDays + 1) * 86_400]) }

    /// What a field counts.
    enum Entry: Hashable {
        case calls(route: String)
        case refusals(CountedRefusal)
    }

    /// The day of the month and what is counted of it. Nil for what this version does not know.
    func meaning(of field: String) -> (day: CalendarDay, entry: Entry)? {
        guard holdsTenDays else { return (day, .calls(route: field)) }
        let (digits, rest) = (field.utf8.prefix(2), field.dropFirst(2))
        guard digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int(String(field.prefix(2))), number / 10 == day.day / 10, rest.utf8.count > 1
        else { return nil }
        let day = CalendarDay(year: day.year, month: day.month, day: number)
        // The nearest day that there is may be another.
        guard day.day == number else { return nil }
        let name = String(rest.dropFirst())
        switch rest.first {
        case "/": return (day, .calls(route: name))
        case "!": return CountedRefusal(rawValue: name).map { (day, .refusals($0)) }
        default: return nil
        }
    }
}

/// What was read of days.
struct UsageCounts {
    private var calls: [CalendarDay: [String: Int]] = [:]
    private var refusals: [CalendarDay: [CountedRefusal: Int]] = [:]

    /// - Parameter fields: A field and its value after the other. What is no count is left out: another client of Redis may
    ///   have written it.
    mutating func add(_ fields: [RedisReply], of hash: UsageHash) {
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            guard let found = fields[index].string.flatMap({ hash.meaning(of: $0) }),
                let count = fields[index + 1].string.flatMap({ Int($0) }), count > 0
            else { continue }
            switch found.entry {
            case .calls(let route): Self.add(count, to: &calls[found.day, default: [:]][route, default: 0])
            case .refusals(let refusal): Self.add(count, to: &refusals[found.day, default: [:]][refusal, default: 0])
            }
        }
    }

    private static func add(_ count: Int, to sum: inout Int) {
        sum = (sum + count.clamped(to: UsageSnapshot.countRange)).clamped(to: UsageSnapshot.countRange)
    }

    /// Those on which anything was counted, oldest first.
    var days: [UsageDay] {
        Set(calls.keys).union(refusals.keys).sorted().map {
            UsageDay(day: $0, calls: calls[$0] ?? [:], refusals: refusals[$0] ?? [:])
        }
    }
}
