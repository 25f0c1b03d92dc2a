/// Which answers one HTTP/1.1 connection owes, and when it must close. Pure: it says what is to be done.
struct ConnectionState {
    enum Answer: Hashable {
        case ordinary
        /// Must carry `Connection: close`.
        case last
    }

    enum AfterAnswer {
        case keepOpen
        case close
        /// The error that had to wait for this answer.
        case refuse(APIError)
    }

    enum Refusal {
        case now
        /// Answers to earlier requests come first.
        case later
        /// An answer is half written; there is nothing left to say.
        case tooLate
    }

    private var owed = 0
    private var isReadingRequest = false
    private var isWritingAnswer = false
    private var isLastAnswer = false
    private var waitingError: APIError?

    /// Nothing more is read from the client or taken from the application.
    private(set) var isClosing = false

    /// The connection was answered on the application's behalf; what the application still writes is dropped.
    private(set) var isRefused = false

    /// Whether the application still works on an answer.
    var owesAnswers: Bool { owed > 0 }

    /// Whether an interim answer may be sent: no earlier request is still to be answered.
    var mayContinue: Bool { owed == 1 && !isWritingAnswer }

    mutating func requestBegan() {
        owed += 1
        isReadingRequest = true
    }

    mutating func requestEnded() { isReadingRequest = false }

    /// A final answer begins. The last one of a connection is one that asks for it, or one while draining behind which
    /// no other request waits: a request that was read is always answered.
    mutating func answerBegins(asksToClose: Bool, isDraining: Bool) -> Answer {
        isWritingAnswer = true
        isLastAnswer = asksToClose || (isDraining && owed == 1 && !isReadingRequest)
        return isLastAnswer ? .last : .ordinary
    }

    mutating func answerEnded() -> AfterAnswer {
        owed -= 1
        isWritingAnswer = false
        if isLastAnswer {
            isClosing = true
            return .close
        }
        if let error = waitingError, owed == 0 {
            (isClosing, isRefused) = (true, true)
            return .refuse(error)
        }
        return .keepOpen
    }

    /// The client's bytes can no longer be understood, or its request does not end.
    mutating func refuse(with error: APIError) -> Refusal {
        // A request that is read in part gets the refusal as its own answer.
        let earlier = owed - (isReadingRequest ? 1 : 0)
        if earlier > 0 {
            waitingError = error
            if isReadingRequest { owed -= 1 }
            isReadingRequest = false
            return .later
        }
        (isClosing, isRefused) = (true, true)
        return isWritingAnswer ? .tooLate : .now
    }
}
