import NIOCore

/// Whether a client sends its body fast enough: at `bytesPerSecond` at least, while it is waited for.
///
/// A client has time in store: a grace at the beginning, and each byte buys more, up to a bound, so that a pause is
/// forgiven and a trickle is not. Time in which the gateway does not wait for the client costs it nothing.
struct BodyPace {
    static let grace = TimeAmount.seconds(5)
    static let maximumStore = TimeAmount.seconds(60)

    /// 0 sets no limit.
    private let bytesPerSecond: Int
    private var store: TimeAmount
    private var waitsSince: NIODeadline?

    init(bytesPerSecond: Int, grace: TimeAmount = grace) {
        self.bytesPerSecond = bytesPerSecond
        store = grace
    }

    /// Bytes have come.
    mutating func received(_ bytes: Int) {
        guard bytesPerSecond > 0 else { return }
        // Bounded before it is made a whole number of nanoseconds.
        let bought = min(Double(bytes) / Double(bytesPerSecond) * 1e9, Double(Self.maximumStore.nanoseconds))
        store = min(Self.maximumStore, store + .nanoseconds(Int64(bought)))
    }

    /// From `now` on the client is waited for, or it is not.
    mutating func isAwaited(_ isAwaited: Bool, at now: NIODeadline) {
        if let waitsSince { store = store - (now - waitsSince) }
        waitsSince = isAwaited && bytesPerSecond > 0 ? now : nil
    }

    /// When the client has taken too long unless more comes. Nil while the gateway does not wait for it.
    var deadline: NIODeadline? { waitsSince.map { $0 + store } }
}
