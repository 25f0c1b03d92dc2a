import HTTPWire
import NIOCore

/// The request in progress on a client's connection: how far it has come, and how far its answer. Pure, and without any
/// reference, since it is copied at each event.
struct RequestProgress {
    var body: BodyReader
    var pace = BodyPace(bytesPerSecond: 0)

    /// Whether a responder answers it. Not before that is known, nor when the connection does so itself.
    var hasResponder = false
    let isHead: Bool
    let isHTTP10: Bool

    /// When its first bytes had come. Nil once it is complete.
    var arrivalBegan: NIODeadline?
    var isComplete = false
    var isAnswerBegun = false

    /// No further request is taken.
    var isLast: Bool

    init(_ head: RequestHead, arrivalBegan: NIODeadline?) {
        body = BodyReader(head.framing)
        isHead = head.method == "HEAD"
        isHTTP10 = head.isHTTP10
        self.arrivalBegan = arrivalBegan
        isLast = !head.isKeptAlive
    }

    /// What has come is no request, and still gets an answer, the last one.
    init(unreadableSince arrivalBegan: NIODeadline?) {
        body = BodyReader(.none)
        isHead = false
        isHTTP10 = false
        self.arrivalBegan = arrivalBegan
        isLast = true
    }

    /// Whether there is, or may be, more of the body than its end.
    var expectsBody: Bool { !body.isAtEnd }

    /// The end of the body has come.
    mutating func completed() {
        isComplete = true
        arrivalBegan = nil
    }

    /// Whether `now` is later than the pace of the body allows.
    func isTooSlow(at now: NIODeadline) -> Bool { hasResponder && pace.deadline.map { $0 <= now } ?? false }
}
