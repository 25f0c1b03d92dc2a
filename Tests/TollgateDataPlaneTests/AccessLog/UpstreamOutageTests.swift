import NIOCore
import TestSupport
import Testing

@testable import ReverseProxy
@testable import TollgateDataPlane

/// What the log is told of upstreams that give no answers.
@Suite struct UpstreamOutageTests {
    private static func outcome(_ error: ProxyError?, upstream: String? = "api:80") -> ProxyOutcome {
        ProxyOutcome(
            status: error == nil ? 200 : nil, requestBytes: 0, answerBytes: 0, durationNanoseconds: 0,
            upstream: upstream, retries: 0, error: error, isAsked: true, isUpstreamFailure: error != nil)
    }

    private static func moment(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(seconds) }

    @Test func anOutageIsOneLineEachWay() {
        let log = KeptLog()
        let outages = UpstreamOutages(logger: log.logger)
        let failure = ProxyError.badGateway(.connectFailed("the connection was refused"))
        outages.ended(Self.outcome(nil), at: Self.moment(0))
        for second in 1...100 { outages.ended(Self.outcome(failure), at: Self.moment(Int64(second))) }
        // Another one has an outage of its own.
        outages.ended(Self.outcome(.gatewayTimeout(.firstByte), upstream: "other:80"), at: Self.moment(50))
        // One answer between failures is not its end.
        outages.ended(Self.outcome(nil), at: Self.moment(101))
        outages.ended(Self.outcome(failure), at: Self.moment(102))
        #expect(
            log.lines == [
                "warning an upstream gives no answers reason=the connection was refused upstream=api:80",
                "warning an upstream gives no answers reason=it did not begin to answer in time upstream=other:80",
            ])
        for second in 107...120 { outages.ended(Self.outcome(nil), at: Self.moment(Int64(second))) }
        #expect(
            log.lines.dropFirst(2) == [
                "notice an upstream answers again afterSeconds=101 failedRequests=101 upstream=api:80"
            ])
    }

    /// What the client does, or the worker by itself, is no upstream's outage.
    @Test(arguments: [
        ProxyError.clientGone, .clientStalled, .request(.badMethod), .unavailable(.circuitOpen),
        .unavailable(.poolExhausted),
    ])
    func othersFaultsAreNotTold(error: ProxyError) {
        let log = KeptLog()
        UpstreamOutages(logger: log.logger).ended(Self.outcome(error))
        #expect(log.lines.isEmpty)
    }
}
