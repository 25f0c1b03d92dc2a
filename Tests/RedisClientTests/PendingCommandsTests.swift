import RedisClient
import Testing

@testable import RedisClient

@Suite struct PendingCommandsTests {
    private func name(_ action: PendingCommands<String>.ReplyAction) -> String {
        switch action {
        case .deliver(let waiter): waiter
        case .drop: "dropped"
        case .unsolicited: "unsolicited"
        }
    }

    @Test func repliesBelongToCommandsInOrder() {
        var pending = PendingCommands<String>(maximumCount: 3)
        for (index, waiter) in ["a", "b", "c"].enumerated() {
            #expect(!pending.isFull)
            pending.append(waiter, identifier: UInt64(index))
        }
        #expect(pending.isFull)
        #expect(name(pending.replyArrived()) == "a")
        #expect(name(pending.replyArrived()) == "b")
        #expect(name(pending.replyArrived()) == "c")
        #expect(name(pending.replyArrived()) == "unsolicited")
    }

    @Test func cancelledCommandsKeepTheirPlace() {
        var pending = PendingCommands<String>(maximumCount: 3)
        for (index, waiter) in ["a", "b", "c"].enumerated() {
            pending.append(waiter, identifier: UInt64(index))
        }
        #expect(pending.cancel(identifier: 1) == ["b"])
        #expect(pending.cancel(identifier: 1) == [], "told once")
        #expect(pending.cancel(identifier: 9) == [])
        #expect(pending.isFull, "a tombstone is still in flight")
        #expect(name(pending.replyArrived()) == "a")
        #expect(name(pending.replyArrived()) == "dropped")
        #expect(pending.cancel(identifier: 0) == [], "answered already")
        #expect(pending.removeAll() == ["c"])
        #expect(pending.isEmpty)
    }

    @Test func aPipelineIsCancelledAsAWhole() {
        var pending = PendingCommands<String>(maximumCount: 9)
        for (waiter, identifier) in [("a", 1), ("b", 2), ("c", 2), ("d", 3), ("e", 2)] as [(String, UInt64)] {
            pending.append(waiter, identifier: identifier)
        }
        #expect(pending.cancel(identifier: 2) == ["b", "c", "e"])
        #expect(pending.removeAll() == ["a", "d"])
    }

    @Test func deadlinesCountFromTheMomentOfSending() {
        var pending = PendingCommands<String>(maximumCount: 9)
        #expect(pending.nextDeadline == nil)
        pending.append("a", identifier: 1)
        #expect(pending.nextDeadline == nil, "not sent yet")
        #expect(pending.expire(now: 1000) == [])
        pending.append("b", identifier: 2)
        pending.sent(deadline: 100)
        pending.sent(deadline: 120)
        pending.append("c", identifier: 3)
        pending.sent(deadline: 150)
        #expect(pending.nextDeadline == 100)
        #expect(pending.expire(now: 99) == [])
        #expect(!pending.isOverdue)
        #expect(pending.expire(now: 100) == ["a", "b"], "and no others")
        #expect(pending.expire(now: 100) == [], "told once")
        #expect(pending.isOverdue && pending.nextDeadline == 150)
        #expect(name(pending.replyArrived()) == "dropped")
        #expect(pending.isOverdue, "the second is still missing")
        #expect(name(pending.replyArrived()) == "dropped")
        #expect(!pending.isOverdue && pending.hasWaiters)
        #expect(name(pending.replyArrived()) == "c")
        #expect(pending.nextDeadline == nil && pending.isEmpty)
    }

    @Test func deadlinesAreInTheOrderOfReplies() {
        var pending = PendingCommands<String>(maximumCount: 9)
        pending.append("a", identifier: 1)
        pending.sent(deadline: 200)
        pending.append("b", identifier: 2)
        pending.sent(deadline: 100)
        #expect(pending.expire(now: 150) == [], "it cannot be answered before the first is")
        #expect(pending.expire(now: 200) == ["a", "b"])
    }

    @Test func tombstonesStallAsWell() {
        var pending = PendingCommands<String>(maximumCount: 9)
        pending.append("a", identifier: 1)
        pending.sent(deadline: 100)
        _ = pending.cancel(identifier: 1)
        #expect(!pending.hasWaiters)
        #expect(pending.expire(now: 100) == [])
        #expect(pending.isOverdue)
    }

    /// What a server says out of turn must not bring the book-keeping into disorder.
    @Test func repliesMayComeBeforeTheCommandHasLeft() {
        var pending = PendingCommands<String>(maximumCount: 9)
        pending.append("a", identifier: 1)
        #expect(name(pending.replyArrived()) == "a")
        pending.sent(deadline: 100)
        #expect(pending.nextDeadline == nil)
        #expect(pending.expire(now: 100) == [])
        #expect(name(pending.replyArrived()) == "unsolicited")
    }
}

@Suite struct PeerLivenessTests {
    @Test func aPeerIsSilentWhenNothingComesForAsLongAsPatienceLasts() {
        var liveness = PeerLiveness(patienceNanoseconds: 800)
        #expect(liveness.checkSilence(now: 5000) == .none)
        #expect(liveness.overdue(now: 200) == true)
        #expect(liveness.overdue(now: 250) == false, "no news")
        #expect(liveness.checkSilence(now: 999) == .wait(until: 1000))
        liveness.heard(now: 600)
        #expect(liveness.checkSilence(now: 1000) == .wait(until: 1400))
        #expect(liveness.checkSilence(now: 1400) == .begins)
        #expect(liveness.checkSilence(now: 1500) == .none, "told once")
        #expect(!liveness.isLive)
        #expect(liveness.caughtUp() == true)
        #expect(liveness.caughtUp() == false, "no news")
        #expect(liveness.isLive)
    }
}
