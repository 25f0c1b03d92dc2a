import HTTPTypes
import NIOCore
import Testing
import TollgateCore
import TollgateDataPlane

/// The limits as lines of a head and as fields say the same, however large the numbers are.
@Suite struct RateLimitHeadersTests {
    @Test(arguments: [(1000, 1), (Plan.maximumLimit, 0), (Plan.maximumLimit, .min), (0, 0)])
    func linesAreFields(limit: Int, count: Int) throws {
        let time = try #require(UnixTime(iso8601: "2026-11-29T01:02:03Z"))
        let window = RateWindow(containing: time)
        let rate = RateSnapshot(count: count, limit: limit, window: window)
        let decision = AdmissionDecision(
            outcome: .admitted,
            usage: UsageSnapshot(
                count: count, limit: limit, plan: "free", period: BillingPeriod(containing: time)),
            rate: rate, routeRate: rate)
        var buffer = ByteBuffer()
        RateLimitHeaders.write(decision, at: time, to: &buffer)
        let fields = RateLimitHeaders.fields(for: decision, at: time)
        #expect(String(buffer: buffer) == fields.map { "\($0.name.rawName): \($0.value)\r\n" }.joined())
        #expect(fields[.rateLimit]?.contains("\"route\";r=\(rate.remaining);t=57") == true)
    }
}
