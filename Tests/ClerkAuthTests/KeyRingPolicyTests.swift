import ClerkAuth
import Testing
import TollgateCore

/// The rules of loading, one moment at a time. Keys are strings here.
@Suite struct KeyRingPolicyTests {
    typealias Policy = KeyRingPolicy<String>

    private static func at(_ seconds: Int64) -> UnixTime { UnixTime(seconds: testNow + seconds) }

    /// A policy that loaded `keys` at second zero.
    private static func loaded(_ keys: [String: String]) -> Policy {
        var policy = Policy()
        _ = policy.beginLoad(at: at(0))
        _ = policy.finishLoad(keys)
        return policy
    }

    @Test func theFirstCallerLoadsAndTheOthersWait() {
        var policy = Policy()
        #expect(policy.find("a", at: Self.at(0)) == .load)
        #expect(policy.find("a", at: Self.at(0)) == .wait)
        #expect(policy.find("b", at: Self.at(9)) == .wait)
        #expect(policy.beginLoad(at: Self.at(9)) == .wait)
        #expect(policy.finishLoad(["a": "A"]) == false)
        #expect(policy.settle("a", at: Self.at(0)) == .key("A", epoch: 0))
        #expect(policy.settle("b", at: Self.at(0)) == .unknown)
        #expect(policy.find("a", at: Self.at(0)) == .answer(.key("A", epoch: 0)))
    }

    @Test func aFirstLoadThatFailsIsTriedAgainAfterFiveSeconds() {
        var policy = Policy()
        #expect(policy.find("a", at: Self.at(0)) == .load)
        #expect(policy.finishLoad(nil) == false)
        #expect(policy.settle("a", at: Self.at(0)) == .unavailable)
        #expect(policy.find("a", at: Self.at(4)) == .answer(.unavailable))
        #expect(policy.find("a", at: Self.at(5)) == .load)
        _ = policy.finishLoad(["a": "A"])
        #expect(policy.settle("a", at: Self.at(5)) == .key("A", epoch: 0))
    }

    @Test func keysOutliveFailures() {
        var policy = Self.loaded(["a": "A"])
        _ = policy.beginLoad(at: Self.at(300))
        #expect(policy.finishLoad(nil) == false)
        #expect(policy.find("a", at: Self.at(301)) == .answer(.key("A", epoch: 0)))
        #expect(policy.find("b", at: Self.at(301)) == .answer(.unknown))
    }

    @Test func aFloodOfUnknownNamesLoadsOnceInFiveSeconds() {
        var policy = Self.loaded(["a": "A"])
        var loads = 0
        for millisecond in stride(from: Int64(0), to: 20_000, by: 10) {
            let now = UnixTime(milliseconds: Self.at(0).milliseconds + millisecond)
            guard policy.find("x\(millisecond)", at: now) == .load else { continue }
            loads += 1
            _ = policy.finishLoad(["a": "A"])
            #expect(policy.settle("x\(millisecond)", at: now) == .unknown)
        }
        #expect(loads == 3)
    }

    @Test func anUnknownNameIsRememberedForAWhile() {
        var policy = Self.loaded(["a": "A"])
        #expect(policy.find("x", at: Self.at(5)) == .load)
        _ = policy.finishLoad(["a": "A"])
        #expect(policy.settle("x", at: Self.at(5)) == .unknown)
        #expect(policy.find("x", at: Self.at(34)) == .answer(.unknown))
        #expect(policy.find("x", at: Self.at(35)) == .load)
        _ = policy.finishLoad(["a": "A", "x": "X"])
        #expect(policy.find("x", at: Self.at(35)) == .answer(.key("X", epoch: 0)))
    }

    @Test func aFailedLoadTeachesNothingAboutAName() {
        var policy = Self.loaded(["a": "A"])
        #expect(policy.find("x", at: Self.at(5)) == .load)
        _ = policy.finishLoad(nil)
        #expect(policy.settle("x", at: Self.at(5)) == .unknown)
        #expect(policy.find("x", at: Self.at(10)) == .load)
    }

    @Test func theMemoryOfUnknownNamesIsBounded() {
        var policy = Self.loaded(["a": "A"])
        for index in 0...Policy.maximumUnknownNames { _ = policy.settle("x\(index)", at: Self.at(5)) }
        // The last one found the memory full, so that the first was forgotten.
        let last = "x\(Policy.maximumUnknownNames)"
        #expect(policy.find(last, at: Self.at(6)) == .answer(.unknown))
        #expect(policy.find("x0", at: Self.at(6)) == .load)
    }

    @Test func aRejectedKeyIsLookedForOnceMore() {
        var policy = Self.loaded(["a": "A"])
        #expect(policy.find("a", otherThan: "A", at: Self.at(4)) == .answer(.unknown))
        #expect(policy.find("a", otherThan: "A", at: Self.at(5)) == .load)
        #expect(policy.find("a", otherThan: "A", at: Self.at(5)) == .wait)
        #expect(policy.finishLoad(["a": "B"]) == true)
        #expect(policy.settle("a", otherThan: "A", at: Self.at(5)) == .key("B", epoch: 1))
        #expect(policy.find("a", otherThan: "A", at: Self.at(6)) == .answer(.key("B", epoch: 1)))
        #expect(policy.find("a", otherThan: "B", at: Self.at(6)) == .answer(.unknown))
    }

    @Test func aNameOnceUnknownRotatesLikeAnyOther() {
        var policy = Self.loaded(["a": "A"])
        #expect(policy.settle("b", at: Self.at(0)) == .unknown)
        _ = policy.beginLoad(at: Self.at(10))
        _ = policy.finishLoad(["a": "A", "b": "B"])
        #expect(policy.find("b", otherThan: "B", at: Self.at(15)) == .load)
    }

    @Test func theEpochGrowsWhenAKeyIsLostAndOnlyThen() {
        var policy = Self.loaded(["a": "A"])
        #expect(policy.finishLoad(["a": "A", "b": "B"]) == false)
        #expect(policy.finishLoad(nil) == false)
        #expect(policy.epoch == 0)
        #expect(policy.finishLoad(["b": "B"]) == true)
        #expect(policy.finishLoad(["b": "C"]) == true)
        #expect(policy.epoch == 2)
    }

    @Test func aClockThatIsSetBackBlocksNothing() {
        var policy = Self.loaded(["a": "A"])
        #expect(policy.find("x", at: Self.at(-3600)) == .load)
    }

    @Test func waitsGrowFromOneSecondToAMinute() {
        #expect(RefreshSchedule.delay(afterFailures: 0, jitter: 0.5) == .seconds(300))
        #expect(RefreshSchedule.delay(afterFailures: 1, jitter: 0) == .seconds(1))
        #expect(RefreshSchedule.delay(afterFailures: 1, jitter: 1) == .seconds(2))
        #expect(RefreshSchedule.delay(afterFailures: 3, jitter: 0.5) == .seconds(6))
        #expect(RefreshSchedule.delay(afterFailures: 6, jitter: 1) == .seconds(60))
        #expect(RefreshSchedule.delay(afterFailures: 10_000, jitter: 0) == .seconds(30))
    }
}
