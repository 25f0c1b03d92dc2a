import HTTPWire
import NIOCore

/// Why an exchange was broken on the upstream's side.
enum UpstreamFault: Hashable {
    case closed
    /// Closed in the middle of a message.
    case truncated
    case malformed(String)
}

/// One connection to an upstream: whose it is at the moment, and what of an answer has come.
///
/// It reads only when what it reads has a place to go, and always while it is idle, to see the upstream hang up.
///
/// Pure: methods take what has happened and return what is to be done.
///
/// - Parameter User: The exchange that uses it, one at a time.
struct UpstreamConnectionState<User>: ~Copyable {
    /// What of the pool's numbers a connection leaves that is closed.
    enum Closing: Hashable {
        /// It was closed before.
        case none
        /// It had not been handed over yet.
        case connecting
        case idle
        case busy
    }

    enum ReadCompletion {
        case nothing
        case read
        /// The user says whether more is to be read.
        case ask(User)
        /// The exchange is over and the connection free, or of no further use.
        case release(isReusable: Bool)
    }

    enum Failure {
        /// The TLS handshake failed. The connection is closed.
        case handshake
        case tell(User)
        case close
    }

    enum InputEnd {
        case nothing
        /// The answer ends with the connection.
        case end(User)
        case tell(User, UpstreamFault)
    }

    private enum State {
        /// Not handed over yet. With whether the TLS handshake is over.
        case connecting(isSecure: Bool)
        case idle
        case busy(User)
        /// The answer is complete; the connection is free when all that came with it has been seen.
        case ending(isReusable: Bool)
        case tunnel
        case closed
    }

    static var closedBeforeUse: ProxyError { .badGateway(.tlsFailed("the connection was closed")) }

    private var state = State.connecting(isSecure: false)
    private var isReadOutstanding = false

    // Beside the states, so that its bytes are never copied on the way from one to the next.
    private var answer = AnswerReader()

    var isClosed: Bool { if case .closed = state { true } else { false } }

    /// The exchange that uses the connection.
    var user: User? { if case .busy(let user) = state { user } else { nil } }

    // MARK: The beginning

    /// How the TLS handshake has ended. Nil while it has not.
    var security: Result<Void, ProxyError>? {
        switch state {
        case .connecting(isSecure: false): nil
        case .closed: .failure(Self.closedBeforeUse)
        case .connecting, .idle, .busy, .ending, .tunnel: .success(())
        }
    }

    /// The TLS handshake has succeeded.
    mutating func secured() {
        if case .connecting = state { state = .connecting(isSecure: true) }
    }

    // MARK: Use

    mutating func begin(_ user: User, isHead: Bool) {
        state = .busy(user)
        answer.isAnswerToHead = isHead
    }

    /// The exchange is over.
    ///
    /// - Returns: Whether the connection is to be closed. Else it is free once it is read to the end of what has come.
    mutating func end(isReusable: Bool) -> Bool {
        guard case .busy = state else { return false }
        if isReusable { state = .ending(isReusable: true) }
        return !isReusable
    }

    /// The pool has parked the connection, or it was not needed.
    mutating func becameIdle() { state = .idle }

    /// - Returns: What of the pool's numbers it leaves.
    mutating func close() -> Closing {
        defer { state = .closed }
        return switch state {
        case .closed: .none
        case .connecting: .connecting
        case .idle: .idle
        case .busy, .ending, .tunnel: .busy
        }
    }

    /// Bytes are another protocol's from now on. Gives those that have come already. Nil for a connection that is closed.
    mutating func becomeTunnel() -> ByteBuffer? {
        guard case .busy = state else { return nil }
        state = .tunnel
        return answer.reset()
    }

    // MARK: The answer

    /// More is to be read.
    ///
    /// - Returns: Whether that is to be asked for; else it was already.
    mutating func beginRead() -> Bool {
        defer { isReadOutstanding = true }
        return !isReadOutstanding
    }

    /// - Returns: Whether an answer is awaited: ``next()`` gives its parts. Else the two sides are out of step, and the
    ///   connection is to be closed.
    mutating func received(_ bytes: ByteBuffer) -> Bool {
        guard case .busy = state else { return false }
        answer.append(bytes)
        return true
    }

    /// The next part of the answer, for the user. Nil when there is no more for now.
    mutating func next() throws(MessageProblem) -> AnswerReader.Part? {
        switch state {
        case .busy: return try answer.next()
        // What comes behind a complete answer belongs to nothing.
        case .ending where answer.hasBytes: state = .ending(isReusable: false)
        case .connecting, .idle, .ending, .tunnel, .closed: break
        }
        return nil
    }

    /// What was asked for has come.
    mutating func readCompleted() -> ReadCompletion {
        isReadOutstanding = false
        switch state {
        case .busy(let user): return .ask(user)
        case .ending(let isReusable):
            answer.reset()
            state = .idle
            return .release(isReusable: isReusable)
        case .idle, .connecting: return .read
        case .tunnel, .closed: return .nothing
        }
    }

    // MARK: The end

    /// An error in the channel. A connection that is told of is closed by its user.
    mutating func failed() -> Failure {
        switch state {
        case .connecting: .handshake
        case .busy(let user): .tell(user)
        case .idle, .ending, .tunnel, .closed: .close
        }
    }

    /// The channel has ended. The connection is to be closed afterwards.
    mutating func inputEnded() -> InputEnd {
        guard case .busy(let user) = state else { return .nothing }
        if answer.closed() { return .end(user) }
        return .tell(user, answer.isBetweenAnswers ? .closed : .truncated)
    }
}
