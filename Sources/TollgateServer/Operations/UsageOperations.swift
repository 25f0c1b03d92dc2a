import JSONValue
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// What all users have called: of a month, and of today.
struct UsageOperations: Sendable {
    let index: RedisUserIndex
    let history: any UsageHistory
    let topUsers: RedisTopUsers

    var endpoints: [OperatorEndpoint] {
        [.init(.get, "usage", .viewer, month), .init(.get, "top", .viewer, top)]
    }

    @Sendable private func top(_ request: OperatorRequest) async throws(APIError) -> OperatorAnswer {
        let limit = try request.number("limit", in: 1...RedisTopUsers.maximumUsers, orElse: 20)
        let day = CalendarDay(containing: request.time)
        do {
            let users = try await topUsers.first(limit, on: day)
            return OperatorAnswer([
                "day": .string(day.description),
                "users": .array(users.map { ["userId": .string($0.userID.value), "calls": .integer($0.calls)] }),
            ])
        } catch {
            throw .unavailable(cause: error.reason)
        }
    }

    /// Users that are read at a time.
    private static let usersAtATime = 200

    @Sendable private func month(_ request: OperatorRequest) async throws(APIError) -> OperatorAnswer {
        let text = request.call.query["month"] ?? String(CalendarDay(containing: request.time).description.prefix(7))
        guard let start = UnixTime(iso8601: "\(text)-01T00:00:00Z") else {
            throw .badRequest("'month' takes a month such as 2026-11.")
        }
        let period = BillingPeriod(containing: start)
        let isCSV = request.call.wantsCSV
        return OperatorAnswer(
            .text(contentType: isCSV ? "text/csv; charset=utf-8" : "application/json") { [self] write in
                try await export(period, isCSV, write)
            })
    }

    private func export(_ month: BillingPeriod, _ isCSV: Bool, _ write: OperatorAnswer.Write) async throws {
        try await write(
            isCSV ? "user,route,calls\n" : "{\"month\":\"\(month.firstDay.description.prefix(7))\",\"usage\":[")
        var (last, isFirst): (UserID?, Bool) = (nil, true)
        while true {
            let users = try await index.users(after: last, maximumCount: Self.usersAtATime)
            var part = ""
            for user in users {
                for (route, calls) in try await calls(of: user, in: month).sorted(by: { $0.key < $1.key }) {
                    if isCSV {
                        part += "\(Self.csv(user.value)),\(Self.csv(route)),\(calls)\n"
                    } else {
                        let row: JSON = [
                            "userId": .string(user.value), "route": .string(route), "calls": .integer(calls),
                        ]
                        part += (isFirst ? "\n" : ",\n") + row.text
                        isFirst = false
                    }
                }
            }
            if !part.isEmpty { try await write(part) }
            guard users.count == Self.usersAtATime, last != users.last else { break }
            last = users.last
        }
        if !isCSV { try await write("\n]}\n") }
    }

    private func calls(of user: UserID, in month: BillingPeriod) async throws -> [String: Int] {
        let days = try await history.days(month.lastDay.day, until: month.lastDay, of: user)
        return days.reduce(into: [:]) { $0.merge($1.calls, uniquingKeysWith: +) }
    }

    /// A field of RFC 4180. One that a spreadsheet would take for a formula is text all the same.
    private static func csv(_ text: String) -> String {
        let safe = ["=", "+", "-", "@"].contains { text.hasPrefix($0) } ? "'" + text : text
        guard safe.contains(where: { "\",\n\r".contains($0) }) else { return safe }
        return "\"" + safe.replacing("\"", with: "\"\"") + "\""
    }
}
