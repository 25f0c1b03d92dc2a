import Testing

@testable import ReverseProxy

/// The decisions of a pool, in made-up time.
@Suite struct PoolStateTests {
    private final class Thing {}
    private typealias State = PoolState<Thing, Thing>

    private static let millisecond: UInt64 = 1_000_000

    private func state(maximum: Int = 2, waiting: Int = 2) -> State {
        State(
            policy: PoolPolicy(
                maximumConnections: maximum, maximumWaiting: waiting, idleMilliseconds: 100, lifetimeMilliseconds: 1000)
        )
    }

    private func name(_ request: State.Request) -> String {
        switch request {
        case .use: "use"
        case .wait: "wait"
        case .connectAndWait: "connect"
        case .refuse: "refuse"
        }
    }

    @Test func opensAsManyAsAllowedThenQueuesThenRefuses() {
        var state = state()
        let answers = (0..<3).map { _ in name(state.request(Thing(), at: 0)) }
        #expect(answers == ["connect", "connect", "refuse"])
        guard case .give = state.connected(Thing(), at: 0) else { Issue.record("nobody was served"); return }
        let next = name(state.request(Thing(), at: 0))
        #expect(next == "wait")
        #expect(state.busyCount == 1 && state.connectingCount == 1 && state.waitingCount == 2)
    }

    @Test func theYoungestIdleOneIsUsedAndOldOnesAreNot() {
        var state = state(maximum: 3)
        let (old, young) = (Thing(), Thing())
        for thing in [old, young] {
            _ = state.request(Thing(), at: 0)
            _ = state.connected(thing, at: 0)
        }
        _ = state.release(old, isReusable: true, born: 0, at: 0)
        _ = state.release(young, isReusable: true, born: 0, at: 50 * Self.millisecond)
        guard case .use(let used) = state.request(Thing(), at: 60 * Self.millisecond) else {
            Issue.record("none was used")
            return
        }
        #expect(used === young)
        let next = name(state.request(Thing(), at: 100 * Self.millisecond))
        #expect(next == "connect", "the other is too old")
        let expired = state.expire(at: 100 * Self.millisecond)
        #expect(expired.count == 1 && expired[0] === old && state.idleCount == 0)
    }

    @Test func onlyCleanAndYoungConnectionsAreKept() {
        var state = state()
        for (isReusable, now) in [(false, 0), (true, 1000)] as [(Bool, UInt64)] {
            let thing = Thing()
            _ = state.request(Thing(), at: 0)
            _ = state.connected(thing, at: 0)
            guard case .close = state.release(thing, isReusable: isReusable, born: 0, at: now * Self.millisecond) else {
                Issue.record("kept")
                return
            }
        }
        #expect(state.busyCount == 0 && state.idleCount == 0)
    }

    @Test func aConnectionThatIsGivenBackServesTheFirstWhoWaits() {
        var state = state(maximum: 1)
        let (connection, first, second) = (Thing(), Thing(), Thing())
        _ = state.request(Thing(), at: 0)
        _ = state.connected(connection, at: 0)
        _ = state.request(first, at: 1)
        _ = state.request(second, at: 2)
        guard case .give(let served) = state.release(connection, isReusable: true, born: 0, at: 3) else {
            Issue.record("nobody was served")
            return
        }
        #expect(served === first && state.busyCount == 1)
        let (once, twice) = (state.cancel(second), state.cancel(second))
        #expect(once && !twice)
    }

    @Test func thoseWhoWaitedTooLongAreGivenUp() {
        var state = state(maximum: 1, waiting: 10)
        let waiters = (0..<4).map { _ in Thing() }
        for (index, waiter) in waiters.enumerated() { _ = state.request(waiter, at: UInt64(index) * 10) }
        let given = state.giveUp(since: 10)
        #expect(given.map(ObjectIdentifier.init) == waiters[..<2].map(ObjectIdentifier.init))
        #expect(state.longestWait == 20)
    }

    @Test func aFailedAttemptTellsTheFirstAndTheNextGetsItsOwn() {
        var state = state(maximum: 1)
        let first = Thing()
        _ = state.request(first, at: 0)
        _ = state.request(Thing(), at: 0)
        let told = state.connectFailed()
        #expect(told === first)
        let (once, twice) = (state.shouldConnect(), state.shouldConnect())
        #expect(once && !twice)
    }

    @Test func aClosedPoolTakesNothing() {
        var state = state()
        let connection = Thing()
        _ = state.request(Thing(), at: 0)
        _ = state.connected(connection, at: 0)
        _ = state.release(connection, isReusable: true, born: 0, at: 0)
        let left = state.close()
        #expect(left.idle.count == 1 && left.waiting.isEmpty)
        let next = name(state.request(Thing(), at: 0))
        #expect(next == "refuse")
    }
}
