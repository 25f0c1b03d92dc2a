/// Whether the other side of a connection still answers: a breaker between callers and a Redis that hangs.
///
/// While a reply is overdue nothing more is sent: it would wait behind what is late already, be charged when Redis goes
/// on, and find its caller gone. The overdue replies themselves show when Redis is back, so a probe beside them would
/// tell nothing that they do not. Pure: moments are nanoseconds on any monotonic scale.
struct PeerLiveness: Hashable {
    enum State: Hashable {
        case live
        /// A reply is overdue. `heardAt` is when the last sign of life came, or when the reply became overdue.
        case stalled(heardAt: UInt64)
        /// There was no sign of life for as long as patience lasts: look for another connection.
        case silent
    }

    enum Silence: Hashable {
        /// It is live, or was found silent before.
        case none
        /// Look again at this moment.
        case wait(until: UInt64)
        /// Patience has just come to its end.
        case begins
    }

    private(set) var state = State.live
    private let patience: UInt64

    /// - Parameter patienceNanoseconds: How long a reply may be overdue without any sign of life.
    init(patienceNanoseconds: UInt64) { patience = patienceNanoseconds }

    var isLive: Bool { state == .live }

    /// A reply is overdue.
    ///
    /// - Returns: Whether that is news.
    mutating func overdue(now: UInt64) -> Bool {
        guard state == .live else { return false }
        state = .stalled(heardAt: now)
        return true
    }

    /// Bytes have come.
    mutating func heard(now: UInt64) {
        if case .stalled = state { state = .stalled(heardAt: now) }
    }

    /// Nothing is overdue any more. A late reply alone does not suffice: with the others that are late, Redis has more to
    /// do than it can do in time.
    ///
    /// - Returns: Whether that is news.
    mutating func caughtUp() -> Bool {
        guard state != .live else { return false }
        state = .live
        return true
    }

    mutating func checkSilence(now: UInt64) -> Silence {
        guard case .stalled(let heardAt) = state else { return .none }
        guard now >= heardAt + patience else { return .wait(until: heardAt + patience) }
        state = .silent
        return .begins
    }
}
