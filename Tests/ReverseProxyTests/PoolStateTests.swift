import Testing

@testable import ReverseProxy

/// The decisions of a pool, in made-up time.
@Suite struct PoolStateTests {
    private final class Thing: PooledConnection { var client: ClientShare? }
    private typealias State = PoolState<Thing, Thing>

    private static let millisecond: UInt64 = 1_000_000

    private func state(maximum: Int = 2, waiting: Int = 2, share: Int = 100) -> State {
        State(
            policy: PoolPolicy(
                maximumConnections: maximum, maximumWaiting: waiting, idleMilliseconds: 100, lifetimeMilliseconds: 1000,
                clientSharePercent: share)
        )
    }

    private func name(_ request: State.Request) -> String {
        switch request {
        case .use: "use"
        case .wait: "wait"
        case .connectAndWait: "connect"
        case .refuse: "refuse"
        case .refuseClient: "refuse the client"
        }
    }

    @Test func opensAsManyAsAllowedThenQueuesThenRefuses() {
        var state = state()
        let answers = (0..<3).map { _ in name(state.request(Thing(), deadline: .max, at: 0)) }
        #expect(answers == ["connect", "connect", "refuse"])
        guard case .give = state.connected(Thing(), at: 0) else { Issue.record("no request was served"); return }
        let next = name(state.request(Thing(), deadline: .max, at: 0))
        #expect(next == "wait")
        #expect(state.busyCount == 1 && state.connectingCount == 1 && state.waitingCount == 2)
    }

    @Test func theYoungestIdleOneIsUsedAndOldOnesAreNot() {
        var state = state(maximum: 3)
        let (old, young) = (Thing(), Thing())
        for thing in [old, young] {
            _ = state.request(Thing(), deadline: .max, at: 0)
            _ = state.connected(thing, at: 0)
        }
        _ = state.release(old, isReusable: true, born: 0, at: 0)
        _ = state.release(young, isReusable: true, born: 0, at: 50 * Self.millisecond)
        guard case .use(let used) = state.request(Thing(), deadline: .max, at: 60 * Self.millisecond) else {
            Issue.record("none was used")
            return
        }
        #expect(used === young)
        let next = name(state.request(Thing(), deadline: .max, at: 100 * Self.millisecond))
        #expect(next == "connect", "the other is too old")
        let expired = state.expire(at: 100 * Self.millisecond)
        #expect(expired.count == 1 && expired[0] === old && state.idleCount == 0)
    }

    @Test func onlyCleanAndYoungConnectionsAreKept() {
        var state = state()
        for (isReusable, now) in [(false, 0), (true, 1000)] as [(Bool, UInt64)] {
            let thing = Thing()
            _ = state.request(Thing(), deadline: .max, at: 0)
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
        _ = state.request(Thing(), deadline: .max, at: 0)
        _ = state.connected(connection, at: 0)
        _ = state.request(first, deadline: .max, at: 1)
        _ = state.request(second, deadline: .max, at: 2)
        guard case .give(let served) = state.release(connection, isReusable: true, born: 0, at: 3) else {
            Issue.record("no request was served")
            return
        }
        #expect(served === first && state.busyCount == 1)
        let (once, twice) = (state.cancel { $0 === second }, state.cancel { $0 === second })
        #expect(once && !twice)
    }

    @Test func thoseWhoWaitedTooLongAreGivenUp() {
        var state = state(maximum: 1, waiting: 10)
        let waiters = (0..<4).map { _ in Thing() }
        for (index, waiter) in waiters.enumerated() {
            _ = state.request(waiter, deadline: [10, 20, 10, 30][index], at: 0)
        }
        let given = state.giveUp(at: 10)
        #expect(given.connecting.count == 1 && given.connecting[0] === waiters[0])
        #expect(given.queued.count == 1 && given.queued[0] === waiters[2], "it waited for a place alone")
        #expect(state.waitingCount == 2)
    }

    @Test func aFailedAttemptTellsTheFirstAndTheNextGetsItsOwn() {
        var state = state(maximum: 1)
        let first = Thing()
        _ = state.request(first, deadline: .max, at: 0)
        _ = state.request(Thing(), deadline: .max, at: 0)
        let told = state.connectFailed()
        #expect(told === first)
        let (once, twice) = (state.shouldConnect(at: 0), state.shouldConnect(at: 0))
        #expect(once && !twice)
    }

    @Test func aClosedPoolTakesNothing() {
        var state = state()
        let connection = Thing()
        _ = state.request(Thing(), deadline: .max, at: 0)
        _ = state.connected(connection, at: 0)
        _ = state.release(connection, isReusable: true, born: 0, at: 0)
        let left = state.close()
        #expect(left.idle.count == 1 && left.waiting.isEmpty)
        let next = name(state.request(Thing(), deadline: .max, at: 0))
        #expect(next == "refuse")
    }

    @Test func theConnectTimeBeginsWithTheAttempt() {
        var state = state(maximum: 1, waiting: 10)
        let (connection, next, last) = (Thing(), Thing(), Thing())
        _ = state.request(Thing(), deadline: 10, at: 0)
        _ = state.connected(connection, at: 0)
        for waiter in [next, last] { _ = state.request(waiter, deadline: 10, at: 0) }
        _ = state.release(connection, isReusable: false, born: 0, at: 0)
        let connects = state.shouldConnect(at: 9)
        #expect(connects, "in the place of the one that is closed")
        let early = state.giveUp(at: 18)
        #expect(early.connecting.isEmpty && early.queued.count == 1 && early.queued[0] === last)
        let late = state.giveUp(at: 19)
        #expect(late.queued.isEmpty && late.connecting.count == 1 && late.connecting[0] === next)
    }

    @Test func anAttemptThatIsLeftOverIsForTheNext() {
        var state = state(maximum: 2, waiting: 10)
        let connection = Thing()
        _ = state.request(Thing(), deadline: 10, at: 0)
        _ = state.connected(connection, at: 0)
        let (served, next) = (Thing(), Thing())
        for waiter in [served, next] { _ = state.request(waiter, deadline: 10, at: 0) }
        guard case .give(let first) = state.release(connection, isReusable: true, born: 0, at: 5) else {
            Issue.record("no request was served")
            return
        }
        #expect(first === served && state.connectingCount == 1)
        let early = state.giveUp(at: 14)
        #expect(early.connecting.isEmpty && early.queued.isEmpty)
        let late = state.giveUp(at: 15)
        #expect(late.connecting.count == 1 && late.connecting[0] === next)
    }

    // MARK: Shares

    private let client = ClientShare(1)

    /// A pool of 16 connections in which every client may have 4, of which 2 are counted.
    private func crowded() -> State {
        var state = state(maximum: 16, waiting: 16, share: 25)
        // What is under way before anything is counted.
        for _ in 0..<2 {
            _ = state.request(Thing(), deadline: .max, at: 0)
            _ = state.connected(Thing(), at: 0)
        }
        return state
    }

    private func ask(_ state: inout State, _ waiter: Thing = Thing(), deadline: UInt64 = .max, client: ClientShare?)
        -> String
    {
        name(state.request(waiter, deadline: deadline, at: 0) { client })
    }

    @Test func nobodyIsAskedForBeforeThePoolIsCrowded() {
        var state = state(maximum: 16, waiting: 16, share: 25)
        var asked = 0
        for _ in 0..<3 {
            _ = state.request(Thing(), deadline: .max, at: 0) {
                asked += 1
                return client
            }
        }
        #expect(asked == 1)
    }

    @Test func aClientAtItsShareWaitsForItselfAndOthersPassIt() {
        var state = crowded()
        let connections = [Thing(), Thing()]
        for connection in connections {
            let answer1 = ask(&state, client: client)
            #expect(answer1 == "connect")
            guard case .give = state.connected(connection, at: 0) else { Issue.record("not served"); return }
        }
        let held = Thing()
        let answer2 = ask(&state, held, client: client)
        #expect(answer2 == "wait", "it has its share")
        #expect(state.connectingCount == 0, "and gets no further connection")
        let answer3 = ask(&state, client: ClientShare(2))
        #expect(answer3 == "connect", "another one does")
        _ = state.connected(Thing(), at: 0)
        guard case .give(let served) = state.release(connections[0], isReusable: true, born: 0, at: 0) else {
            Issue.record("not served")
            return
        }
        #expect(served === held, "its own connection serves it")
        #expect(connections[0].client == client)
    }

    @Test func oneClientFillsOnlyItsShareOfTheWaitingPlaces() {
        var state = crowded()
        for _ in 0..<2 {
            _ = ask(&state, client: client)
            _ = state.connected(Thing(), at: 0)
        }
        let answers = (0..<6).map { _ in name(state.request(Thing(), deadline: .max, at: 0) { client }) }
        #expect(answers == ["wait", "wait", "wait", "wait", "refuse the client", "refuse the client"])
        #expect(state.waitingCount == 4)
        let answer4 = ask(&state, client: ClientShare(2))
        #expect(answer4 == "connect")
    }

    @Test func aClaimThatEndsInAnyWayMakesRoomForTheNext() {
        for ending in ["closed", "cancelled", "failed", "given up"] {
            var state = crowded()
            let first = Thing()
            _ = ask(&state, first, deadline: 5, client: client)
            _ = ask(&state, client: client)
            let held = Thing()
            let answer5 = ask(&state, held, client: client)
            #expect(answer5 == "wait")
            switch ending {
            case "closed":
                let connection = Thing()
                _ = state.connected(connection, at: 0)
                _ = state.release(connection, isReusable: false, born: 0, at: 0)
            case "cancelled": _ = state.cancel { $0 === first }
            case "failed": _ = state.connectFailed()
            default: _ = state.giveUp(at: 5)
            }
            // Both that are left wait in the queue now: each is served by a connection that is new.
            var served: [Thing] = []
            for _ in 0..<3 {
                guard state.connectingCount > 0 || state.shouldConnect(at: 6) else { continue }
                if case .give(let waiter) = state.connected(Thing(), at: 6) { served.append(waiter) }
            }
            #expect(served.contains { $0 === held }, "\(ending)")
            #expect(state.waitingCount == 0, "\(ending)")
        }
    }

    /// It is no failure of the upstream's: one client could take it out of service for all.
    @Test func oneThatWaitedForItsShareHasTheWholeConnectTime() {
        var state = crowded()
        let connections = [Thing(), Thing()]
        for connection in connections {
            _ = ask(&state, client: client)
            _ = state.connected(connection, at: 0)
        }
        let held = Thing()
        _ = ask(&state, held, deadline: 10, client: client)
        _ = state.release(connections[0], isReusable: false, born: 0, at: 9)
        let connects = state.shouldConnect(at: 9)
        #expect(connects)
        let early = state.giveUp(at: 18)
        #expect(early.connecting.isEmpty && early.queued.isEmpty && early.heldBack.isEmpty)
        let late = state.giveUp(at: 19)
        #expect(late.connecting.count == 1 && late.connecting[0] === held)
    }

    @Test func oneThatGotItsShareTooLateForAConnectionWaitedForItsShare() {
        // One connection for each client; others fill the pool.
        var state = state(maximum: 4, waiting: 16, share: 25)
        let connection = Thing()
        _ = ask(&state, client: nil)
        _ = state.connected(Thing(), at: 0)
        _ = ask(&state, client: client)
        _ = state.connected(connection, at: 0)
        let held = Thing()
        _ = ask(&state, held, deadline: 10, client: client)
        for _ in 0..<3 { _ = ask(&state, client: nil) }
        for _ in 0..<2 { _ = state.connected(Thing(), at: 0) }
        _ = state.release(connection, isReusable: false, born: 0, at: 9)
        let connects = state.shouldConnect(at: 9)
        #expect(connects, "for the one that was in the queue first")
        let late = state.giveUp(at: 10)
        #expect(late.connecting.isEmpty && late.queued.isEmpty)
        #expect(late.heldBack.count == 1 && late.heldBack[0] === held)
    }

    @Test func whatIsHeldBackIsGivenUpAndCancelledToo() {
        var state = crowded()
        for _ in 0..<2 { _ = ask(&state, client: client) }
        let (early, late) = (Thing(), Thing())
        _ = ask(&state, early, deadline: 5, client: client)
        _ = ask(&state, late, deadline: 50, client: client)
        let given = state.giveUp(at: 5)
        #expect(given.queued.isEmpty && given.heldBack.count == 1 && given.heldBack[0] === early)
        let (once, twice) = (state.cancel { $0 === late }, state.cancel { $0 === late })
        #expect(once && !twice)
        #expect(state.waitingCount == 2)
    }
}
