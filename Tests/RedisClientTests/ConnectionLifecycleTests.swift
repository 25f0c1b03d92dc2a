import Testing

@testable import RedisClient

@Suite struct ConnectionLifecycleTests {
    private func lifecycle() -> ConnectionLifecycle {
        ConnectionLifecycle(backoff: Backoff(firstMilliseconds: 50, maximumMilliseconds: 1000))
    }

    private func ready() -> ConnectionLifecycle {
        var machine = lifecycle()
        _ = machine.start()
        _ = machine.becameReady()
        return machine
    }

    @Test func attemptsFollowEachOtherSlower() {
        var machine = lifecycle()
        #expect(machine.start() == .connect)
        #expect(machine.start() == .none)
        var waits: [Int64] = []
        for _ in 0..<7 {
            guard case .retry(let milliseconds) = machine.attemptFailed(.little, jitter: 0.999_999) else {
                Issue.record("a failed attempt is retried")
                return
            }
            waits.append(milliseconds)
            #expect(machine.attemptFailed(.little, jitter: 0) == .none, "one failure, one retry")
            #expect(machine.retryIsDue() == .connect)
        }
        #expect(waits == [49, 99, 199, 399, 799, 999, 999])
        #expect(machine.becameReady() == .none)
        #expect(machine.isReady)
        let sound = ConnectionLifecycle.soundMilliseconds
        #expect(
            machine.connectionBroke(stoodMilliseconds: sound, .handshake, jitter: 0.5)
                == .retry(afterMilliseconds: 25),
            "begins anew after a connection that was of use")
    }

    @Test func connectionsThatDoNotLastAreFailures() {
        var machine = lifecycle()
        _ = machine.start()
        var waits: [Int64] = []
        for _ in 0..<6 {
            _ = machine.becameReady()
            let action = machine.connectionBroke(stoodMilliseconds: 20, .little, jitter: 0.999_999)
            guard case .retry(let milliseconds) = action else {
                Issue.record("a connection that broke is made again")
                return
            }
            waits.append(milliseconds)
            _ = machine.retryIsDue()
        }
        #expect(waits == [49, 99, 199, 399, 799, 999])
    }

    @Test func aConnectionThatStallsIsOfUseAgainWhenItHasCaughtUp() {
        var machine = ready()
        machine.repliesOverdue()
        #expect(machine.isStalled && !machine.isReady)
        #expect(machine.revived() == .resume(afterSilence: false))
        #expect(machine.isReady)
        #expect(machine.revived() == .none)
    }

    @Test func aSilentConnectionIsKeptBesideTheAttemptsAtAnother() {
        var machine = ready()
        machine.repliesOverdue()
        #expect(machine.fellSilent(stoodMilliseconds: 60_000, jitter: 0.5) == .retry(afterMilliseconds: 25))
        #expect(machine.keepsStalled)
        #expect(machine.retryIsDue() == .connect)
        #expect(machine.attemptFailed(.little, jitter: 0.5) == .retry(afterMilliseconds: 50))
        var other = machine
        #expect(machine.revived() == .resume(afterSilence: true))
        #expect(machine.isReady && !machine.keepsStalled)

        _ = other.retryIsDue()
        #expect(other.becameReady() == .none)
        #expect(other.isReady && !other.keepsStalled)
        #expect(other.revived() == .none, "it has a successor")
    }

    @Test func aSilentConnectionThatBreaksIsNoFailureOfTheAttempt() {
        var machine = ready()
        machine.repliesOverdue()
        _ = machine.fellSilent(stoodMilliseconds: 60_000, jitter: 0)
        _ = machine.retryIsDue()
        #expect(machine.connectionBroke(.handshake, jitter: 0) == .none)
        #expect(machine.state == .connecting(failures: 1) && !machine.keepsStalled)
        #expect(machine.revived() == .none)
        #expect(machine.becameReady() == .none)
        #expect(machine.isReady)
    }

    @Test func newsOfAnotherPlaceMakesAnAttemptAtOnce() {
        var machine = ready()
        #expect(machine.lookAgain() == .none, "it stands")
        machine.repliesOverdue()
        #expect(machine.lookAgain() == .connect)
        #expect(machine.keepsStalled)
        for _ in 0..<6 {
            _ = machine.attemptFailed(.little, jitter: 0.5)
            _ = machine.retryIsDue()
        }
        #expect(machine.lookAgain() == .connect, "the attempt under way may be at the old place")
        #expect(machine.attemptFailed(.little, jitter: 0.5) == .retry(afterMilliseconds: 25), "counts anew")
        #expect(machine.lookAgain() == .connect)
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
        _ = waiting.attemptFailed(.little, jitter: 0)
        #expect(waiting.shutDown(commandsInFlight: 0) == .close)
        #expect(waiting.retryIsDue() == .none)

        var draining = lifecycle()
        _ = draining.start()
        _ = draining.becameReady()
        _ = draining.shutDown(commandsInFlight: 1)
        #expect(draining.connectionBroke(.little, jitter: 0) == .none)
        #expect(draining.isClosed)

        var stalled = ready()
        stalled.repliesOverdue()
        #expect(stalled.shutDown(commandsInFlight: 0) == .close)
    }
}
