/// Keeps the answers of one connection in the order of its requests (RFC 9112, section 9.3.2), whichever side writes
/// them: this side answers only while the other owes nothing, and holds back what comes meanwhile.
///
/// Pure: it says what is to be done with a request.
struct AnswerOrder {
    private var owedAbove = 0

    /// A request is being answered here.
    private(set) var isAnswering = false

    /// Whether a request that begins now may be answered here at once.
    var mayAnswerHere: Bool { owedAbove == 0 && !isAnswering }

    /// Whether parts that come now must wait.
    var mustHold: Bool { isAnswering }

    mutating func beginAnswer() { isAnswering = true }
    mutating func endAnswer() { isAnswering = false }

    mutating func passedUp() { owedAbove += 1 }
    mutating func answeredAbove() { owedAbove = max(0, owedAbove - 1) }
}
