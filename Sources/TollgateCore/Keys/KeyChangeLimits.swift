/// How often a user's keys may be made and rotated, secret keys and the publishable one together. Each change writes to
/// the store and costs no call. Revoking is never refused: whoever has lost a key has to get rid of it now.
package struct KeyChangeLimits: Sendable, Hashable {
    /// All keys that there may be can be made, or rotated, at one go.
    package static let standard = KeyChangeLimits(perMinute: 60, perDay: 500)

    package let perMinute: Int

    /// A day in UTC.
    package let perDay: Int

    package init(perMinute: Int, perDay: Int) {
        self.perMinute = perMinute
        self.perDay = perDay
    }
}

/// The limit that a change of a key has met.
package enum KeyChangeLimit: Sendable, Hashable {
    case ofMinute
    case ofDay

    /// Seconds until a change can be made again, at least one.
    package func retryAfterSeconds(at time: UnixTime) -> Int64 {
        let end =
            switch self {
            case .ofMinute: RateWindow(containing: time).end
            case .ofDay: CalendarDay(containing: time).startOfDay.adding(seconds: 86_400)
            }
        return max(1, end.seconds - time.seconds)
    }
}
