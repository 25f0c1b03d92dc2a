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
            pending.append(waiter, identifier: UInt64(index), deadline: UInt64(100 + index))
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
            pending.append(waiter, identifier: UInt64(index), deadline: 100)
        }
        #expect(pending.cancel(identifier: 1) == "b")
        #expect(pending.cancel(identifier: 1) == nil, "told once")
        #expect(pending.cancel(identifier: 9) == nil)
        #expect(pending.isFull, "a tombstone is still in flight")
        #expect(name(pending.replyArrived()) == "a")
        #expect(name(pending.replyArrived()) == "dropped")
        #expect(pending.cancel(identifier: 0) == nil, "answered already")
        #expect(pending.removeAll() == ["c"])
        #expect(pending.isEmpty)
    }

    @Test func headStallsForEverybody() {
        var pending = PendingCommands<String>(maximumCount: 3)
        #expect(pending.checkDeadline(now: 500) == .none)
        pending.append("a", identifier: 1, deadline: 100)
        pending.append("b", identifier: 2, deadline: 150)
        #expect(pending.checkDeadline(now: 99) == .wait(until: 100))
        #expect(pending.checkDeadline(now: 100) == .stalled)
        _ = pending.replyArrived()
        #expect(pending.checkDeadline(now: 100) == .wait(until: 150))
        _ = pending.cancel(identifier: 2)
        #expect(pending.checkDeadline(now: 150) == .stalled, "an unanswered tombstone stalls as well")
    }
}

@Suite struct ConnectionLifecycleTests {
    private func lifecycle() -> ConnectionLifecycle {
        ConnectionLifecycle(backoff: Backoff(firstMilliseconds: 50, maximumMilliseconds: 1000))
    }

    @Test func attemptsFollowEachOtherSlower() {
        var machine = lifecycle()
        #expect(machine.start() == .connect)
        #expect(machine.start() == .none)
        var waits: [Int64] = []
        for _ in 0..<7 {
            guard case .retry(let milliseconds) = machine.connectionFailed(jitter: 0.999_999) else {
                Issue.record("a failed attempt is retried")
                return
            }
            waits.append(milliseconds)
            #expect(machine.connectionFailed(jitter: 0) == .none, "one failure, one retry")
            #expect(machine.retryIsDue() == .connect)
        }
        #expect(waits == [49, 99, 199, 399, 799, 999, 999])
        #expect(machine.becameReady() == .none)
        #expect(machine.isReady)
        let sound = ConnectionLifecycle.soundMilliseconds
        #expect(
            machine.connectionFailed(stoodMilliseconds: sound, jitter: 0) == .retry(afterMilliseconds: 25),
            "begins anew after a connection that was of use")
    }

    @Test func connectionsThatDoNotLastAreFailures() {
        var machine = lifecycle()
        _ = machine.start()
        var waits: [Int64] = []
        for _ in 0..<6 {
            _ = machine.becameReady()
            guard case .retry(let milliseconds) = machine.connectionFailed(stoodMilliseconds: 20, jitter: 0.999_999)
            else {
                Issue.record("a connection that broke is made again")
                return
            }
            waits.append(milliseconds)
            _ = machine.retryIsDue()
        }
        #expect(waits == [49, 99, 199, 399, 799, 999])
    }

    @Test func jitterSpreadsOverHalfTheStep() {
        let backoff = Backoff(firstMilliseconds: 100, maximumMilliseconds: 1000)
        #expect(backoff.delayMilliseconds(failures: 1, jitter: 0) == 50)
        #expect(backoff.delayMilliseconds(failures: 1, jitter: 0.5) == 75)
        #expect(backoff.delayMilliseconds(failures: 60, jitter: 0) == 500)
    }

    @Test func shutdownWaitsForRepliesInFlight() {
        var machine = lifecycle()
        _ = machine.start()
        _ = machine.becameReady()
        #expect(machine.shutDown(commandsInFlight: 2) == .none)
        #expect(machine.isShutDown && !machine.isReady)
        #expect(machine.shutDown(commandsInFlight: 2) == .none)
        #expect(machine.drained() == .close)
        #expect(machine.isClosed)
        #expect(machine.drained() == .none)
    }

    @Test func shutdownEndsFromEveryState() {
        var idle = lifecycle()
        #expect(idle.shutDown(commandsInFlight: 0) == .close)
        #expect(idle.start() == .none)

        var connecting = lifecycle()
        _ = connecting.start()
        #expect(connecting.shutDown(commandsInFlight: 0) == .close)
        #expect(connecting.becameReady() == .close, "an attempt that succeeds too late is closed")

        var waiting = lifecycle()
        _ = waiting.start()
        _ = waiting.connectionFailed(jitter: 0)
        #expect(waiting.shutDown(commandsInFlight: 0) == .close)
        #expect(waiting.retryIsDue() == .none)

        var draining = lifecycle()
        _ = draining.start()
        _ = draining.becameReady()
        _ = draining.shutDown(commandsInFlight: 1)
        #expect(draining.connectionFailed(jitter: 0) == .none)
        #expect(draining.isClosed)
    }
}
