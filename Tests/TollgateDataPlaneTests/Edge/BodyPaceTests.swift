import NIOCore
import Testing

@testable import TollgateDataPlane

/// How slowly a body may come: some time at the beginning, and what its bytes buy.
@Suite struct BodyPaceTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func seconds(_ seconds: Int64) -> NIODeadline { start + .seconds(seconds) }

    @Test func aClientHasAGraceAtFirst() {
        var pace = BodyPace(bytesPerSecond: 240)
        #expect(pace.deadline == nil, "the gateway does not wait yet")
        pace.isAwaited(true, at: start)
        #expect(pace.deadline == seconds(5))
    }

    @Test func bytesBuyTime() {
        var pace = BodyPace(bytesPerSecond: 240)
        pace.isAwaited(true, at: start)
        pace.received(480)
        #expect(pace.deadline == seconds(7))
        pace.received(1)
        #expect(pace.deadline == seconds(7) + .nanoseconds(4_166_666))
    }

    /// Else what was sent quickly at first would pay for a trickle of hours.
    @Test(arguments: [240 * 60, Int.max]) func noMoreThanAMinuteIsInStore(bytes: Int) {
        var pace = BodyPace(bytesPerSecond: 240)
        pace.isAwaited(true, at: start)
        pace.received(bytes)
        pace.received(bytes)
        #expect(pace.deadline == seconds(60))
    }

    @Test func timeInWhichNobodyWaitsCostsNothing() {
        var pace = BodyPace(bytesPerSecond: 240)
        pace.isAwaited(true, at: start)
        pace.isAwaited(false, at: seconds(2))
        #expect(pace.deadline == nil)
        pace.isAwaited(false, at: seconds(50))
        pace.isAwaited(true, at: seconds(100))
        #expect(pace.deadline == seconds(103))
        pace.isAwaited(true, at: seconds(101))
        #expect(pace.deadline == seconds(103), "saying it again changes nothing")
    }

    /// One byte below the rate is too slow, the rate itself is not.
    @Test(arguments: [(239, true), (240, false)]) func theRateIsHeldForEver(bytes: Int, isTooSlow: Bool) {
        var pace = BodyPace(bytesPerSecond: 240)
        var now = start
        pace.isAwaited(true, at: now)
        for _ in 1...3600 {
            now = now + .seconds(1)
            if let deadline = pace.deadline, deadline < now { return #expect(isTooSlow) }
            pace.received(bytes)
            pace.isAwaited(true, at: now)
        }
        #expect(!isTooSlow)
    }

    @Test func zeroSetsNoLimit() {
        var pace = BodyPace(bytesPerSecond: 0)
        pace.isAwaited(true, at: start)
        pace.received(1)
        #expect(pace.deadline == nil)
    }
}
