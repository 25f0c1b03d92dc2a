import Testing

@testable import ReverseProxy

/// Which upstream is asked, which is left alone, and when one gets a rest. All in made-up time.
@Suite struct UpstreamPolicyTests {
    private static let second: UInt64 = 1_000_000_000

    // MARK: Choice

    private func candidate(_ inFlight: Int, weight: Int = 1, isAvailable: Bool = true, isUp: Bool = true)
        -> UpstreamChoice.Candidate
    {
        UpstreamChoice.Candidate(
            weight: weight, inFlight: inFlight, isAvailable: isAvailable && isUp, isLastResort: isUp)
    }

    private func shares(_ candidates: [UpstreamChoice.Candidate], tried: UInt64 = 0) -> [Int] {
        var counts = candidates.map { _ in 0 }
        var generator = SplitMix(state: 42)
        for _ in 0..<10_000 {
            let choice = UpstreamChoice.choose(
                candidates, tried: tried, random: { Int.random(in: 0..<$0, using: &generator) })
            if let choice { counts[choice] += 1 }
        }
        return counts
    }

    @Test func theLessBusyOfTwoIsChosen() {
        #expect(shares([candidate(5), candidate(0)]) == [0, 10_000])
        #expect(shares([candidate(0), candidate(5), candidate(9)])[2] == 0, "the busiest of all never")
    }

    @Test func weightsCount() {
        // With equal load for their weight the first of the draw wins, and the draw goes by weight.
        let counts = shares([candidate(0, weight: 1), candidate(2, weight: 3)])
        #expect((2000...3000).contains(counts[0]), "\(counts)")
        #expect(shares([candidate(1, weight: 1), candidate(1, weight: 3)]) == [0, 10_000])
    }

    @Test func ejectedAndTriedOnesAreLeftOutWhileThereAreOthers() {
        #expect(shares([candidate(0, isAvailable: false), candidate(9)]) == [0, 10_000])
        #expect(shares([candidate(0), candidate(9)], tried: 0b01) == [0, 10_000])
        #expect(shares([candidate(0), candidate(9, isAvailable: false)], tried: 0b01) == [10_000, 0])
        #expect(shares([candidate(0, isAvailable: false)]) == [10_000], "the only hope")
        #expect(shares([candidate(0, isUp: false)]) == [0])
    }

    // MARK: Passive health

    @Test func ejectsAfterFailuresInARowForAGrowingTime() {
        var health = PassiveHealth(
            policy: HealthPolicy(
                failuresToEject: 3, firstEjectionMilliseconds: 1000, maximumEjectionMilliseconds: 3000))
        var now = Self.second
        for _ in 0..<2 { health.failed(at: now) }
        #expect(health.isAvailable(at: now))
        health.succeeded()
        for _ in 0..<3 { health.failed(at: now) }
        #expect(!health.isAvailable(at: now))
        for expected in [1, 2, 3, 3] as [UInt64] {
            #expect(health.ejectedUntil == now + expected * Self.second)
            health.failed(at: now + 1)
            #expect(health.ejectedUntil == now + expected * Self.second, "late failures add nothing")
            now += expected * Self.second
            #expect(health.isAvailable(at: now))
            health.requestBegan(at: now)
            #expect(!health.isAvailable(at: now), "one probe at a time")
            health.failed(at: now)
        }
        now += 3 * Self.second
        health.requestBegan(at: now)
        health.abandoned()
        #expect(health.isAvailable(at: now), "a probe whose client left is no probe")
        health.requestBegan(at: now)
        health.succeeded()
        #expect(health.isAvailable(at: now) && health.ejectedUntil == nil)
    }

    // MARK: Circuit breaker

    @Test func theBreakerOpensTriesAndCloses() {
        var breaker = CircuitBreaker(
            policy: BreakerPolicy(
                minimumRequests: 10, failurePercent: 50, windowMilliseconds: 10_000, openMilliseconds: 1000, probes: 2))
        var now = Self.second * 100
        for number in 0..<9 { breaker.requestEnded(failed: number % 2 == 0, at: now) }
        #expect(breaker.isClosed, "too few to judge")
        breaker.requestEnded(failed: true, at: now)
        #expect(!breaker.isClosed)
        func admits(_ time: UInt64) -> Bool {
            guard breaker.admits(at: time) else { return false }
            breaker.requestBegan(at: time)
            return true
        }
        #expect(!admits(now + 1))
        now += Self.second
        #expect([admits(now), admits(now), admits(now)] == [true, true, false])
        breaker.requestEnded(failed: true, at: now)
        #expect(!admits(now), "open again")
        now += Self.second
        #expect(admits(now) && admits(now))
        breaker.abandoned()
        #expect(admits(now), "the place of one that says nothing is free")
        breaker.requestEnded(failed: false, at: now)
        breaker.requestEnded(failed: false, at: now)
        #expect(breaker.isClosed)
    }

    /// A client that draws out its requests must not keep an upstream that is well out of service.
    @Test func probesThatSayNothingHoldTheirPlacesForATimeOnly() {
        var breaker = CircuitBreaker(policy: BreakerPolicy(minimumRequests: 1, openMilliseconds: 1000, probes: 2))
        var health = PassiveHealth(policy: HealthPolicy(failuresToEject: 1, firstEjectionMilliseconds: 1000))
        var now = Self.second * 100
        breaker.requestEnded(failed: true, at: now)
        health.failed(at: now)
        now += Self.second
        for _ in 0..<2 { breaker.requestBegan(at: now) }
        health.requestBegan(at: now)
        #expect(!breaker.admits(at: now + Self.second - 1) && !health.isAvailable(at: now + Self.second - 1))
        now += Self.second
        #expect(breaker.admits(at: now) && health.isAvailable(at: now))
        for _ in 0..<2 { breaker.requestBegan(at: now) }
        health.requestBegan(at: now)
        #expect(!breaker.admits(at: now) && !health.isAvailable(at: now), "no more at a time than before")
        for _ in 0..<2 { breaker.requestEnded(failed: false, at: now) }
        health.succeeded()
        #expect(breaker.isClosed && health.isAvailable(at: now))
    }

    @Test func oldFailuresAreForgotten() {
        var breaker = CircuitBreaker(
            policy: BreakerPolicy(minimumRequests: 10, failurePercent: 50, windowMilliseconds: 1000))
        for step in 0..<100 { breaker.requestEnded(failed: true, at: UInt64(step) * Self.second / 5) }
        #expect(breaker.isClosed)
    }

    // MARK: Retries

    @Test func retriesOnlyWhatDoesNoHarmTwice() {
        let policy = RetryPolicy(maximumTries: 2)
        func allows(
            tries: Int = 1, idempotent: Bool = true, head: Bool = true, body: Bool = false, answer: Bool = false
        ) -> Bool {
            policy.allowsRetry(
                tries: tries, isIdempotent: idempotent,
                progress: .init(isHeadSent: head, isBodySent: body, isAnswerBegun: answer))
        }
        #expect(allows())
        #expect(!allows(tries: 2))
        #expect(!allows(idempotent: false))
        #expect(allows(idempotent: false, head: false), "nothing was sent")
        #expect(!allows(body: true))
        #expect(!allows(answer: true))
        #expect(["PUT", "DELETE", "GET", "HEAD"].allSatisfy(RetryPolicy.isIdempotent))
        #expect(!["POST", "PATCH", "FROBNICATE", "get"].contains(where: RetryPolicy.isIdempotent))
    }
}

/// Numbers that look like chance and are the same on each run.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
