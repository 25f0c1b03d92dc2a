import OutboundCalls
import TestSupport
import Testing

/// What the log is told of services that do not serve.
@Suite struct ServiceOutageTests {
    private static let start = ContinuousClock().now
    private static let stripe = CalledService(name: "Stripe")

    @Test func anOutageIsOneLineEachWay() {
        let log = KeptLog()
        let outage = ServiceOutage(logger: log.logger)
        let start = Self.start
        outage.heard(nil, from: Self.stripe, at: start)
        for second in 1...10 {
            outage.heard(
                CallError(Self.stripe, .unreachable, "https://api.stripe.com could not be reached."),
                from: Self.stripe, at: start + .seconds(second))
        }
        #expect(
            log.lines == [
                "warning Stripe does not serve reason=https://api.stripe.com could not be reached. "
                    + "remedy=tollgate doctor says what to do"
            ])
        // Whoever gave the call up says nothing of Stripe.
        outage.heard(CallError(Self.stripe, .cancelled, "cancelled"), from: Self.stripe)
        #expect(log.lines.count == 1)
        // That it says no is an answer.
        outage.heard(
            CallError(Self.stripe, .refused, "No such price", httpStatus: 404), from: Self.stripe,
            at: start + .seconds(20))
        outage.heard(nil, from: Self.stripe, at: start + .seconds(21))
        #expect(log.lines.dropFirst() == ["notice Stripe serves again afterSeconds=19 failedCalls=10"])
    }
}
