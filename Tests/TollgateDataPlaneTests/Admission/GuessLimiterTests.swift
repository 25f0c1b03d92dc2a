import HTTPTypes
import Testing
import TollgateCore

@testable import TollgateDataPlane

@Suite struct GuessLimiterTests {
    /// 2025-11-26T23:00:00Z, the beginning of a minute.
    private static let start = UnixTime(seconds: 1_764_198_000)

    private static func network(_ address: String) throws -> ClientNetwork {
        try #require(ClientNetwork(address: address), "\(address)")
    }

    private static func failures(capacity: Int = 16) -> MinuteLimiter<ClientNetwork> {
        MinuteLimiter(limit: GuessLimiter.maximumFailures, capacity: capacity)
    }

    @Test func failuresOfAMinuteAreLimited() throws {
        let limiter = Self.failures()
        let network = try Self.network("192.0.2.7")
        let time = Self.start.adding(seconds: 20)
        for _ in 1...GuessLimiter.maximumFailures {
            #expect(limiter.retryAfterSeconds(for: network, at: time) == nil)
            limiter.count(network, at: time)
        }
        #expect(limiter.retryAfterSeconds(for: network, at: time) == 40)
        #expect(limiter.retryAfterSeconds(for: network, at: Self.start.adding(seconds: 59)) == 1)
        #expect(limiter.retryAfterSeconds(for: try Self.network("192.0.2.8"), at: time) == nil)
    }

    @Test func theNextMinuteBeginsAnew() throws {
        let limiter = Self.failures()
        let network = try Self.network("192.0.2.7")
        for _ in 0...GuessLimiter.maximumFailures { limiter.count(network, at: Self.start) }
        let next = Self.start.adding(seconds: 60)
        #expect(limiter.retryAfterSeconds(for: network, at: next) == nil)
        limiter.count(network, at: next)
        #expect(limiter.retryAfterSeconds(for: network, at: next) == nil, "the count of the last minute is over")
    }

    @Test func rememberedNetworksAreBounded() throws {
        let limiter = Self.failures(capacity: 8)
        let first = try Self.network("10.0.0.1")
        for _ in 1...GuessLimiter.maximumFailures { limiter.count(first, at: Self.start) }
        for last in 2...20 {
            limiter.count(try Self.network("10.0.0.\(last)"), at: Self.start)
        }
        #expect(limiter.retryAfterSeconds(for: first, at: Self.start) == nil, "forgotten for newer ones")
    }

    /// One that refuses counts nothing: what is refused is no success, and no further failure.
    @Test func admittedIsAsOftenAsTheLimitSays() throws {
        let limiter = MinuteLimiter<ClientNetwork>(limit: 2, capacity: 16)
        let network = try Self.network("192.0.2.7")
        for isAdmitted in [true, true, false, false] {
            #expect(limiter.admits(network, at: Self.start) == isAdmitted)
        }
        #expect(limiter.retryAfterSeconds(for: network, at: Self.start.adding(seconds: 10)) == 50)
        #expect(limiter.admits(try Self.network("192.0.2.8"), at: Self.start))
        #expect(limiter.admits(network, at: Self.start.adding(seconds: 60)))
    }

    @Test func onlyGuessesCount() throws {
        let network = try Self.network("2001:db8::1")
        let failures: [APIError] = [
            .key(APIKey.Problem.malformed), .key(APIKey.Problem.checksumMismatch), .key(KeyRefusal.unknown),
            .key(KeyRefusal.revoked),
        ]
        let others: [APIError] = [
            .key(KeyRefusal.expired), .key(KeyRefusal.scopeMissing), .notFound, .sessionTokenRequired,
            .unavailable(cause: "test"), .tooManyFailedKeys(retryAfterSeconds: 1),
            .authentication(AuthenticationFailure(.tokenExpired, "test")),
        ]
        for error in others {
            let limiter = GuessLimiter()
            for _ in 0...GuessLimiter.maximumFailures { limiter.count(error, from: network, at: Self.start) }
            #expect(limiter.refusal(of: network, at: Self.start) == nil, "\(error.code)")
        }
        for error in failures {
            let limiter = GuessLimiter()
            for _ in 1...GuessLimiter.maximumFailures { limiter.count(error, from: network, at: Self.start) }
            let refusal = limiter.refusal(of: network, at: Self.start.adding(seconds: 15))
            #expect(refusal?.status == .tooManyRequests, "\(error.code)")
            #expect(refusal?.code == "too-many-failed-keys")
            #expect(refusal?.headers[.retryAfter] == "45")
        }
    }

    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("::ffff:c000:207", "192.0.2.7"),
        ("2001:db8::1", "2001:db8:0:0::/64"), ("2001:db8:0:1:aaaa::9", "2001:db8:0:1::/64"),
        ("2001:DB8:0:1:2:3:4:5", "2001:db8:0:1::/64"), ("::1", "0:0:0:0::/64"), ("fe80::1%eth0", "fe80:0:0:0::/64"),
        ("1:2:3:4:5:6:192.0.2.7", "1:2:3:4::/64"), ("192.0.2.7:80", "192.0.2.7"),
        ("[2001:db8::1]:80", "2001:db8:0:0::/64"),
    ])
    func neighboursOfAnAddress(address: String, name: String) throws {
        let network = try Self.network(address)
        #expect(network.description == name)
        #expect(ClientNetwork(address: network.address) == network, "it is told the same again")
        #expect(ClientNetwork(address: network.address)?.client == network.client, "with all of the address")
        #expect(ClientNetwork(address: ClientNetwork.unknown.address) == .unknown)
    }

    @Test func theWholeAddressIsKept() throws {
        #expect(try Self.network("2001:db8::1").client == IPAddress("2001:db8::1"))
        #expect(try Self.network("::ffff:192.0.2.7").client == IPAddress("192.0.2.7"))
        #expect(ClientNetwork.unknown.client == nil && ClientNetwork(address: "::")?.client == nil)
    }

    @Test func networksAreToldApart() throws {
        #expect(try Self.network("2001:db8::1") == Self.network("2001:db8::ffff:1:2:3"))
        #expect(try Self.network("2001:db8::1") != Self.network("2001:db8:0:1::1"))
        #expect(try Self.network("0.0.0.0") != Self.network("::"), "the two families share no counts")
        for text in ["", "localhost", "192.0.2", "1:2", "/run/socket", "unknown"] {
            #expect(ClientNetwork(address: text) == nil, "\(text)")
        }
    }
}
