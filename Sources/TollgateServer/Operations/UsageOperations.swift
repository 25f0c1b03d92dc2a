import JSONValue
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// What all users have called: of a month, and of today.
struct UsageOperations: Sendable {
    let export: RedisUsageExport
    let topUsers: RedisTopUsers

    var endpoints: [OperatorEndpoint] {
        [.init(.get, "usage", .viewer, month), .init(.get, "top", .viewer, top)]
    }

    @Sendable private func top(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let limit = try request.number("limit", in: 1...RedisTopUsers.maximumUsers, orElse: 20)
        let day = CalendarDay(containing: request.time)
        let users = try await topUsers.first(limit, on: day)
        return OperatorAnswer([
            "day": .string(day.description),
            "users": .array(users.map { ["userId": .string($0.userID.value), "calls": .integer($0.calls)] }),
        ])
    }

    @Sendable private func month(_ request: OperatorRequest) async throws -> OperatorAnswer {
        let text = request.call.query["month"] ?? String(CalendarDay(containing: request.time).description.prefix(7))
        guard let start = UnixTime(iso8601: "\(text)-01T00:00:00Z") else {
            throw APIError.badRequest("'month' takes a month such as 2026-11.")
        }
        let (day, today) = (CalendarDay(containing: start), CalendarDay(containing: request.time))
        let oldest = today.days(before: UsageDay.keptDays).description.prefix(7)
        guard text >= oldest, day <= today else {
            throw APIError.badRequest(
                "'month' takes one from \(oldest) to \(today.description.prefix(7)): days are kept for "
                    + "\(UsageDay.keptDays) days.")
        }
        let format = UsageTable.Format(isCSV: request.call.wantsCSV)
        return OperatorAnswer(
            .text(contentType: format.contentType) { [export] write in
                var table = UsageTable(of: text, in: format)
                try await write(table.head)
                try await export.month(of: day) { users in
                    for user in users {
                        table.add(user)
                        if let part = table.takePart() { try await write(part) }
                    }
                }
                let rest = table.end()
                if !rest.isEmpty { try await write(rest) }
            })
    }
}
