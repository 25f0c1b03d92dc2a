import Testing
import TollgateCore

@Suite struct AdmissionDecisionTests {
    /// 2025-11-30T23:59:30Z: half a minute before both the minute and the month end.
    private let time = UnixTime(seconds: 1_764_547_170)

    private func decision(_ outcome: AdmissionDecision.Outcome, count: Int = 7, limit: Int = 5) -> AdmissionDecision {
        AdmissionDecision(
            outcome: outcome,
            usage: UsageSnapshot(
                count: count, limit: limit, plan: "free", period: BillingPeriod(containing: time)),
            rate: RateSnapshot(count: 100, limit: 100, window: RateWindow(containing: time)))
    }

    @Test func refusedCallsCanPassWhenTheirLimitResets() {
        #expect(decision(.admitted).retryAfterSeconds(at: time) == nil)
        #expect(decision(.rateLimited).retryAfterSeconds(at: time) == 30)
        #expect(decision(.quotaExceeded).retryAfterSeconds(at: time) == 30)
        #expect(decision(.quotaExceeded).retryAfterSeconds(at: time.adding(seconds: -86_400)) == 86_430)
    }

    @Test func whatRemainsIsNeverNegative() {
        #expect(decision(.quotaExceeded).usage.remaining == 0)
        #expect(decision(.admitted, count: 1).usage.remaining == 4)
    }

    @Test func waitingIsNeverForZeroSeconds() {
        let lastMillisecond = UnixTime(milliseconds: time.adding(seconds: 30).milliseconds - 1)
        #expect(decision(.rateLimited).retryAfterSeconds(at: lastMillisecond) == 1)
    }
}
