/// The clock minute that the per-minute rate limit counts in: `floor(unix seconds / 60)`.
package struct RateWindow: Sendable, Hashable {
    package static let lengthSeconds: Int64 = 60

    /// Minutes since 1970-01-01T00:00:00Z.
    package let minute: Int64

    package init(containing time: UnixTime) {
        minute = time.seconds.dividedRoundingDown(by: Self.lengthSeconds)
    }

    /// The first moment of the next minute.
    package var end: UnixTime { UnixTime(seconds: (minute + 1) * Self.lengthSeconds) }
}
