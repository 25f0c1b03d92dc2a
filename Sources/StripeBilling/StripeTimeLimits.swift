/// How long a call may take.
package struct StripeTimeLimits: Sendable, Hashable {
    /// For all tries together, with the waits between them.
    package var call: Duration

    /// For one try, from connecting to the last byte.
    package var attempt: Duration

    /// Stripe answers within a second or two; a user waits for it.
    package init(call: Duration = .seconds(10), attempt: Duration = .seconds(6)) {
        self.call = call
        self.attempt = attempt
    }
}
