import Synchronization

/// What a check says of an upstream, for all event loops. Up until it says otherwise.
final class CheckVerdict: Sendable {
    private let up = Atomic(true)
    private let cancelled = Atomic(false)

    var isUp: Bool { up.load(ordering: .relaxed) }
    var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    /// - Returns: Whether that is news.
    func set(isUp: Bool) -> Bool { up.exchange(isUp, ordering: .relaxed) != isUp }

    /// The check is not wanted any more.
    func cancel() { cancelled.store(true, ordering: .relaxed) }
}
