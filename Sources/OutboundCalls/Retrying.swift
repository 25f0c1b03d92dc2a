/// How long a call may take.
package struct CallTimeLimits: Sendable, Hashable {
    /// For all tries together, with the waits between them.
    package var call: Duration

    /// For one try, from connecting to the last byte.
    package var attempt: Duration

    package init(call: Duration, attempt: Duration) {
        self.call = call
        self.attempt = attempt
    }
}

/// The last result of a call, good or bad, after as many tries as are worthwhile and as time allows.
///
/// - Parameters:
///   - sleep: Waits between tries. Ends the call when it throws.
///   - delay: How long to wait before the next try, or nil to leave it, after so many retries and with this answer.
///     Nil when there was none.
///   - attempt: One try, within so long.
package func retrying<Answer, Failure: Error>(
    within limits: CallTimeLimits, sleep: (Duration) async throws -> Void,
    delay: (_ retries: Int, _ answer: Answer?) -> Duration?,
    attempt: (_ limit: Duration) async -> Result<Answer, Failure>
) async throws(Failure) -> Answer {
    let deadline = ContinuousClock.now + limits.call
    var retries = 0
    while true {
        let result = await attempt(min(limits.attempt, deadline - .now))
        guard !Task.isCancelled, let delay = delay(retries, try? result.get()), .now + delay < deadline,
            (try? await sleep(delay)) != nil
        else { return try result.get() }
        retries += 1
    }
}

/// How long another server asks us to wait (RFC 9110, section 10.2.3).
package enum RetryAfter {
    /// Longer waits come to the same: no caller waits that long.
    private static let longestSeconds = 86_400

    /// The field's value as a number of seconds. Nil for a date, and for what is neither.
    package static func seconds(_ value: String?) -> Int? {
        guard let value, !value.isEmpty, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return min(Int(value) ?? longestSeconds, longestSeconds)
    }
}
