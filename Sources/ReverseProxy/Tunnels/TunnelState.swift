import NIOCore

/// The two ends of a tunnel: what is read at one is written at the other, and it is read only while the other end can
/// write. When one side says that it sends nothing more, the other is told, and may go on sending.
///
/// Pure: methods take what has happened and return what is to be done.
struct TunnelState: ~Copyable {
    enum Side {
        case client
        case upstream

        var other: Side { self == .client ? .upstream : .client }
    }

    /// What is to be done at one end, in the order of these declarations.
    struct EndActions: OptionSet, Hashable {
        let rawValue: UInt8

        static let flush = EndActions(rawValue: 1)

        /// To say that nothing more comes, behind everything written before. Then ``outputEnded(at:)`` is due.
        static let closeOutput = EndActions(rawValue: 2)

        /// To wait until everything written before has left. Then ``outputEnded(at:)`` is due.
        static let flushToEnd = EndActions(rawValue: 4)
        static let close = EndActions(rawValue: 8)
        static let read = EndActions(rawValue: 16)
    }

    struct Actions: Hashable {
        var client: EndActions = []
        var upstream: EndActions = []

        /// The tunnel is over, which its owner is to be told after the rest.
        var isOver = false

        fileprivate init() {}

        fileprivate init(_ actions: EndActions, at side: Side) { self[side] = actions }

        subscript(_ side: Side) -> EndActions {
            get { side == .client ? client : upstream }
            set { if side == .client { client = newValue } else { upstream = newValue } }
        }
    }

    private enum End {
        /// Its channel is still to come; until then its bytes wait here.
        case awaited(early: [ByteBuffer])
        case connected(Connected)
        case closed
    }

    private struct Connected {
        var isWritable: Bool
        var isReadOutstanding = false

        /// The peer sends nothing more, or nothing that could be passed on.
        var hasInputEnded = false
        var output = Output.open
    }

    private enum Output {
        case open
        /// Nothing more is written, but what was is still to leave.
        case ending
        case ended
    }

    private let idleTimeout: TimeAmount
    private var lastActivity: NIODeadline
    private var client = End.awaited(early: [])
    private var upstream = End.awaited(early: [])
    private(set) var isOver = false

    init(idleTimeout: TimeAmount, at now: NIODeadline) {
        self.idleTimeout = idleTimeout
        lastActivity = now
    }

    // MARK: The beginning

    /// The channel of `side` is there. Gives what has waited for it, to be written before ``opened(_:)``.
    mutating func stands(_ side: Side, isWritable: Bool) -> [ByteBuffer] {
        guard case .awaited(let early) = self[side] else { return [] }
        self[side] = .connected(Connected(isWritable: isWritable))
        return early
    }

    /// What has waited for `side` was written.
    mutating func opened(_ side: Side) -> Actions {
        var actions = Actions(.flush, at: side)
        if case .connected(let other) = self[side.other], other.hasInputEnded {
            actions[side].formUnion(endOutput(at: side))
        }
        actions[side.other] = [.flush, read(at: side.other)]
        actions[side].formUnion(read(at: side))
        return actions
    }

    // MARK: Bytes

    /// Bytes have come from `side`.
    ///
    /// - Returns: Whether they are to be written at the other end now; else they wait for it, or are dropped with it.
    mutating func received(_ bytes: ByteBuffer, from side: Side, at now: NIODeadline) -> Bool {
        lastActivity = now
        switch self[side.other] {
        case .awaited(var early):
            early.append(bytes)
            self[side.other] = .awaited(early: early)
            return false
        case .connected: return true
        case .closed: return false
        }
    }

    /// What was asked for at `side` has come.
    mutating func readCompleted(at side: Side) -> Actions {
        guard case .connected(var end) = self[side] else { return Actions() }
        end.isReadOutstanding = false
        self[side] = .connected(end)
        var actions = Actions(.flush, at: side.other)
        actions[side] = read(at: side)
        return actions
    }

    mutating func writabilityChanged(at side: Side, isWritable: Bool) -> Actions {
        guard case .connected(var end) = self[side] else { return Actions() }
        end.isWritable = isWritable
        self[side] = .connected(end)
        return Actions(read(at: side.other), at: side.other)
    }

    /// Reads at `side` when what comes has a place to go.
    private mutating func read(at side: Side) -> EndActions {
        guard case .connected(var end) = self[side], !end.isReadOutstanding,
            case .connected(let other) = self[side.other],
            other.isWritable
        else { return [] }
        end.isReadOutstanding = true
        self[side] = .connected(end)
        return .read
    }

    // MARK: The end

    /// The peer of `side` sends nothing more.
    mutating func inputEnded(at side: Side) -> Actions {
        guard case .connected(var end) = self[side] else { return Actions() }
        end.hasInputEnded = true
        self[side] = .connected(end)
        var actions = Actions(endOutput(at: side.other), at: side.other)
        if end.output == .ended { actions[side] = .close }
        return actions
    }

    /// What was written at `side` has left, and with it the word that nothing more comes.
    mutating func outputEnded(at side: Side) -> Actions {
        guard case .connected(var end) = self[side] else { return Actions() }
        end.output = .ended
        self[side] = .connected(end)
        return end.hasInputEnded ? Actions(.close, at: side) : Actions()
    }

    /// The connection of `side` is gone.
    mutating func closed(_ side: Side) -> Actions {
        self[side] = .closed
        var actions = Actions(endConnection(at: side.other), at: side.other)
        actions.isOver = !isOver
        isOver = true
        return actions
    }

    /// Closes both connections; what is on its way is lost.
    mutating func close() -> Actions {
        (client, upstream) = (.closed, .closed)
        var actions = Actions()
        (actions.client, actions.upstream, actions.isOver) = (.close, .close, !isOver)
        isOver = true
        return actions
    }

    /// Tells the peer of `side` that nothing more comes.
    private mutating func endOutput(at side: Side) -> EndActions {
        guard case .connected(var end) = self[side], end.output == .open else { return [] }
        // Of a connection whose other half is closed, closing this one would not wait for what is still to leave.
        if end.hasInputEnded { return endConnection(at: side) }
        end.output = .ending
        self[side] = .connected(end)
        return [.flush, .closeOutput]
    }

    /// Closes the connection of `side` when everything written before has left.
    private mutating func endConnection(at side: Side) -> EndActions {
        guard case .connected(var end) = self[side] else { return [] }
        let output = end.output
        end.hasInputEnded = true
        if output == .open { end.output = .ending }
        self[side] = .connected(end)
        switch output {
        case .open: return .flushToEnd
        case .ending: return []
        case .ended: return .close
        }
    }

    // MARK: Time

    /// When it is to be asked again whether anything moves. Nil when nothing has for too long.
    func nextCheck(at now: NIODeadline) -> NIODeadline? {
        let end = lastActivity + idleTimeout
        return now < end ? end : nil
    }

    private subscript(_ side: Side) -> End {
        get { side == .client ? client : upstream }
        set { if side == .client { client = newValue } else { upstream = newValue } }
    }
}
