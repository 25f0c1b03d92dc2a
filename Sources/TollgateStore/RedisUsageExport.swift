package import RedisClient
package import TollgateCore

/// A month of all users, page by page: an export holds one, and the next.
package struct RedisUsageExport: Sendable {
    /// Users that are read at a time.
    package static let usersAtATime = 500

    private let index: RedisUserIndex
    private let history: RedisUsageHistory

    package init(client: RedisClient) {
        index = RedisUserIndex(client: client)
        history = RedisUsageHistory(client: client)
    }

    /// Goes through the month that `day` lies in. Who is in the index of users from the beginning to the end is told once;
    /// who is added or deleted meanwhile, once or not at all.
    ///
    /// - Parameter write: Is given what was counted for some users; of users without a call as well.
    package func month(of day: CalendarDay, _ write: ([UserMonth]) async throws -> Void) async throws {
        var part = try await read(day, after: UserScan())
        while let months = part.months {
            // Redis is asked for the next while this is written.
            let scan = part.scan
            async let next = read(day, after: scan)
            if !months.isEmpty { try await write(months) }
            part = try await next
        }
    }

    /// The next page of a pass, and the pass behind it. Nil at its end.
    ///
    /// Where Redis is late it is asked again, for nothing that was written can be taken back.
    private func read(
        _ day: CalendarDay, after before: UserScan
    ) async throws(StoreUnavailable) -> (scan: UserScan, months: [UserMonth]?) {
        for pause in Self.pauses {
            do {
                return try await readOnce(day, after: before)
            } catch {
                guard error.cause == .unreachable, (try? await Task.sleep(for: pause)) != nil else { throw error }
            }
        }
        return try await readOnce(day, after: before)
    }

    private static let pauses = [Duration.milliseconds(200), .seconds(1), .seconds(4)]

    private func readOnce(
        _ day: CalendarDay, after before: UserScan
    ) async throws(StoreUnavailable) -> (scan: UserScan, months: [UserMonth]?) {
        var scan = before
        guard let users = try await index.next(of: &scan, count: Self.usersAtATime) else { return (scan, nil) }
        return (scan, try await history.months(users.map { ($0, day) }))
    }
}
