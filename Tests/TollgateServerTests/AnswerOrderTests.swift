import TollgateCore
import Testing

@testable import TollgateServer

@Suite struct AnswerOrderTests {
    @Test func oneSideAnswersAtATime() {
        var order = AnswerOrder()
        #expect(order.mayAnswerHere && !order.mustHold)
        order.passedUp()
        #expect(!order.mayAnswerHere, "the answer above comes first")
        order.passedUp()
        order.answeredAbove()
        #expect(!order.mayAnswerHere)
        order.answeredAbove()
        #expect(order.mayAnswerHere)
        order.beginAnswer()
        #expect(!order.mayAnswerHere && order.mustHold, "what comes behind an answer waits")
        order.endAnswer()
        #expect(order.mayAnswerHere && !order.mustHold)
    }
}

@Suite struct ConnectionStateTests {
    @Test func lastAnswerClosesTheConnection() {
        var state = ConnectionState()
        state.requestBegan()
        state.requestEnded()
        #expect(state.answerBegins(asksToClose: true, isDraining: false) == .last)
        guard case .close = state.answerEnded() else {
            Issue.record("must close")
            return
        }
        #expect(state.isClosing)
    }

    @Test func drainingEndsAConnectionBehindItsLastRequest() {
        var state = ConnectionState()
        for _ in 0..<2 {
            state.requestBegan()
            state.requestEnded()
        }
        #expect(state.answerBegins(asksToClose: false, isDraining: true) == .ordinary, "another request waits")
        guard case .keepOpen = state.answerEnded() else {
            Issue.record("must stay open")
            return
        }
        #expect(state.answerBegins(asksToClose: false, isDraining: true) == .last)
    }

    @Test func refusalsWaitForEarlierAnswers() {
        var state = ConnectionState()
        state.requestBegan()
        state.requestEnded()
        guard case .later = state.refuse(with: .requestTimeout) else {
            Issue.record("must wait")
            return
        }
        _ = state.answerBegins(asksToClose: false, isDraining: false)
        guard case .refuse = state.answerEnded() else {
            Issue.record("must be said now")
            return
        }
        #expect(state.isRefused && state.isClosing)
    }

    @Test func refusalsOfAHalfReadRequestAreItsAnswer() {
        var state = ConnectionState()
        state.requestBegan()
        guard case .now = state.refuse(with: .requestTimeout) else {
            Issue.record("must be said now")
            return
        }
        #expect(state.isRefused)
    }

    @Test func nothingIsAddedToAHalfWrittenAnswer() {
        var state = ConnectionState()
        state.requestBegan()
        _ = state.answerBegins(asksToClose: false, isDraining: false)
        guard case .tooLate = state.refuse(with: .requestTimeout) else {
            Issue.record("must hang up")
            return
        }
    }
}

@Suite struct HTTPDateTests {
    @Test(arguments: [
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (1_764_198_000, "Wed, 26 Nov 2025 23:00:00 GMT"),
    ])
    func datesAreWrittenAsHTTPWantsThem(seconds: Int, text: String) {
        var date = HTTPDate()
        #expect(date.text(at: UnixTime(seconds: Int64(seconds))) == text)
    }
}
