import Testing

@testable import RedisClient

@Suite struct BackoffTests {
    @Test func jitterSpreadsOverTheWholeStep() {
        let backoff = Backoff(firstMilliseconds: 100, maximumMilliseconds: 1000)
        #expect(backoff.delayMilliseconds(failures: 1, jitter: 0) == 0)
        #expect(backoff.delayMilliseconds(failures: 1, jitter: 0.5) == 50)
        #expect(backoff.delayMilliseconds(failures: 60, jitter: 0.999_999) == 999)
        #expect(backoff.delayMilliseconds(failures: 3, .handshake, jitter: 0.5) == 200, "as good as nothing")
    }

    @Test func attemptsThatCostADearHandshakeWaitLonger() {
        let backoff = Backoff.standard(usesTLS: true)
        let waits = (1...5).map { backoff.delayMilliseconds(failures: $0, .handshake, jitter: 0.5) }
        #expect(waits == [500, 1000, 2000, 4000, 5000])
        #expect(backoff.delayMilliseconds(failures: 9, jitter: 0.5) == 500, "an ordinary restart is not waited out so")
    }

    /// 1,600 connections (100 workers of 16 event loops) whose server has lost them all at once, and which can shake hands
    /// 300 times a second: one after the other, with those that have given up a second after they came as well.
    @Test func aFleetThatComesBackAllAtOnceConverges() throws {
        let seconds = try #require(Reconnection.seconds(1600, .standard(usesTLS: true)))
        #expect(seconds < 60, "\(seconds) s")
    }

    @Test func aSmallFleetLosesNoTimeOverIt() throws {
        let seconds = try #require(Reconnection.seconds(160, .standard(usesTLS: true)))
        #expect(seconds < 1, "\(seconds) s")
    }

    /// Where every attempt is spread over a second at most, the server is never done with those that have given up.
    @Test func withoutLongerWaitsItWouldNotConverge() {
        #expect(Reconnection.seconds(1600, Backoff()) == nil)
    }
}

/// A server that shakes hands and the clients that want it, in virtual time.
private struct Reconnection {
    private static let patienceMilliseconds = 1000.0
    private static let limitSeconds = 120.0

    private struct Attempt {
        let client: Int
        let began: Double
    }

    private let handshakeMilliseconds: Double
    private var machines: [ConnectionLifecycle]
    private var random = Numbers(state: 42)

    init(clients: Int, handshakesPerSecond: Double, _ backoff: Backoff) {
        handshakeMilliseconds = 1000 / handshakesPerSecond
        machines = (0..<clients).map { _ in
            var machine = ConnectionLifecycle(backoff: backoff)
            _ = machine.start()
            _ = machine.becameReady()
            return machine
        }
    }

    /// When all of so many clients are connected, in seconds since they lost their connections. Nil when that takes longer
    /// than the model is followed.
    static func seconds(_ clients: Int, _ backoff: Backoff) -> Double? {
        var reconnection = Reconnection(clients: clients, handshakesPerSecond: 300, backoff)
        return reconnection.run()
    }

    private mutating func run() -> Double? {
        // Ordered by time, for the server takes them in the order in which they come.
        var attempts: [Attempt] = []
        func insert(_ attempt: Attempt) {
            var (low, high) = (0, attempts.count)
            while low < high {
                let middle = (low + high) / 2
                if attempts[middle].began < attempt.began { low = middle + 1 } else { high = middle }
            }
            attempts.insert(attempt, at: low)
        }
        for client in machines.indices {
            let action = machines[client].connectionBroke(
                stoodMilliseconds: ConnectionLifecycle.soundMilliseconds, .handshake, jitter: random.next())
            if case .retry(let wait) = action { insert(Attempt(client: client, began: Double(wait))) }
        }
        var (now, connected) = (0.0, 0)
        while connected < machines.count, now < Self.limitSeconds * 1000 {
            let attempt = attempts.removeFirst()
            _ = machines[attempt.client].retryIsDue()
            now = max(now, attempt.began) + handshakeMilliseconds
            if now - attempt.began <= Self.patienceMilliseconds {
                _ = machines[attempt.client].becameReady()
                connected += 1
            } else if case .retry(let wait) = machines[attempt.client].attemptFailed(.handshake, jitter: random.next())
            {
                insert(Attempt(client: attempt.client, began: attempt.began + Self.patienceMilliseconds + Double(wait)))
            }
        }
        return connected == machines.count ? now / 1000 : nil
    }
}

/// SplitMix64, so that every run is the same.
private struct Numbers {
    var state: UInt64

    /// In 0..<1.
    mutating func next() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Double((mixed ^ (mixed >> 31)) >> 11) / Double(1 << 53)
    }
}
