import Testing
import TollgateStore

@testable import TollgateServer

/// What counters that only grow say of the last minute.
@Suite struct TrafficWindowTests {
    private static let start = ContinuousClock.now

    private static func counts(_ requests: Int, admitted: Int = 0, quota: Int = 0) -> TrafficCounts {
        TrafficCounts(requests: requests, admitted: admitted, refused: quota == 0 ? [:] : ["quota-exceeded": quota])
    }

    @Test func theRateIsThatOfTheLastInterval() {
        var window = TrafficWindow(startingWith: Self.counts(1000), at: Self.start)
        let first = window.add(Self.counts(1050), at: Self.start + .seconds(5))
        #expect(first.requestsPerSecond == 10)
        let second = window.add(Self.counts(1051), at: Self.start + .seconds(10))
        #expect(second.requestsPerSecond == 0.2)
        let atOnce = window.add(Self.counts(1061), at: Self.start + .milliseconds(10_100))
        #expect(atOnce.requestsPerSecond == 2.2, "too short a time says nothing, so the one before counts as well")
    }

    @Test func aWorkerThatHasJustStartedHasNoRate() {
        var window = TrafficWindow(startingWith: Self.counts(0), at: Self.start)
        let first = window.add(Self.counts(3, admitted: 3), at: Self.start + .milliseconds(1))
        #expect(first == WorkerTraffic(requestsPerSecond: 0, admitted: 3, refused: [:]))
    }

    @Test func aMinuteIsCounted() {
        var window = TrafficWindow(startingWith: Self.counts(0, admitted: 100), at: Self.start)
        for second in stride(from: 5, through: 60, by: 5) {
            let traffic = window.add(
                Self.counts(0, admitted: 100 + second, quota: second), at: Self.start + .seconds(second))
            #expect(traffic.admitted == second)
            #expect(traffic.refused == ["quota-exceeded": second])
        }
        let later = window.add(Self.counts(0, admitted: 160, quota: 60), at: Self.start + .seconds(90))
        #expect(later.admitted == 30, "those of the first half minute are over")
        let afterAPause = window.add(Self.counts(0, admitted: 161, quota: 60), at: Self.start + .seconds(900))
        #expect(afterAPause == WorkerTraffic(requestsPerSecond: 0, admitted: 1, refused: [:]))
    }
}
