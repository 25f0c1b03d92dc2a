import NIOCore

/// Whether a client takes what it is sent. Pure.
struct ClientBackpressure {
    var isWritable = true
    private var blockedSince: NIODeadline?
    private var longestBlock = TimeAmount.zero

    mutating func writabilityChanged(isWritable: Bool, at now: NIODeadline) {
        self.isWritable = isWritable
        guard isWritable else { return blockedSince = now }
        if let blocked = blockedSince.take() { longestBlock = max(longestBlock, now - blocked) }
    }

    /// The longest that it has taken nothing, until now.
    func longestBlock(at now: NIODeadline) -> TimeAmount {
        max(longestBlock, blockedSince.map { now - $0 } ?? .zero)
    }
}
