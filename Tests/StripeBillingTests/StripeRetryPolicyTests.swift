import NIOHTTP1
import StripeBilling
import Testing

/// When a call is made again, and how soon.
@Suite struct StripeRetryPolicyTests {
    private func delay(
        _ status: Int, _ headers: HTTPHeaders = [:], retries: Int = 0, jitter: Double = 1
    ) -> Duration? {
        StripeRetryPolicy.delay(
            afterRetries: retries, answer: StripeAnswer(status: status, headers: headers, body: []), jitter: jitter)
    }

    @Test func waitsGrowAndAreSpread() {
        func delay(_ retries: Int, _ jitter: Double) -> Duration? {
            StripeRetryPolicy.delay(afterRetries: retries, answer: nil, jitter: jitter)
        }
        #expect(delay(0, 0) == .milliseconds(250))
        #expect(delay(0, 1) == .milliseconds(500))
        #expect(delay(1, 0) == .milliseconds(500))
        #expect(delay(1, 1) == .milliseconds(1000))
        #expect(delay(2, 0) == nil)
    }

    @Test(arguments: [409, 500, 502, 503, 504, 599])
    func statusesThatMayPass(_ status: Int) {
        #expect(delay(status) == .milliseconds(500))
        #expect(delay(status, ["stripe-should-retry": "false"]) == nil)
        #expect(delay(status, retries: 2) == nil)
    }

    @Test(arguments: [301, 400, 401, 402, 403, 404, 429])
    func statusesThatStay(_ status: Int) {
        #expect(delay(status) == nil)
        #expect(delay(status, ["Stripe-Should-Retry": "true"]) == .milliseconds(500))
        #expect(delay(status, ["Stripe-Should-Retry": "perhaps"]) == nil)
    }

    @Test func whoIsTooFastComesAgainWhenToldToSoon() {
        #expect(delay(429, ["Retry-After": "0"]) == .milliseconds(500))
        #expect(delay(429, ["Retry-After": "2"]) == .seconds(2))
        #expect(delay(429, ["Retry-After": "3"], retries: 1) == .seconds(3))
        #expect(delay(429, ["Retry-After": "4"]) == nil)
        #expect(delay(429, ["Retry-After": "2"], retries: 2) == nil)
        #expect(delay(429, ["Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"]) == nil)
        #expect(delay(429, ["Retry-After": "2", "Stripe-Should-Retry": "false"]) == nil)
        for seconds in ["9223372036854775807", "99999999999999999999999"] {
            #expect(delay(503, ["Retry-After": seconds]) == nil)
        }
        for none in ["-9223372036854775808", "", "+3", "1e9", "0x10"] {
            #expect(delay(503, ["Retry-After": none]) == .milliseconds(500))
        }
        #expect(delay(503, ["Retry-After": "60"]) == nil)
        #expect(delay(503, ["Retry-After": "-1"]) == .milliseconds(500))
    }
}
