import Testing
import TollgateCore

@Suite struct KeyRefusalTests {
    private static let time = UnixTime(seconds: 1_764_198_000)

    private static func hash(_ digit: Character) throws -> KeyHash {
        try #require(KeyHash(hex: String(repeating: digit, count: 64)))
    }

    private static func scopes(_ texts: [String]) throws -> [KeyScope] {
        try texts.map { try #require(KeyScope($0)) }
    }

    private static func record(
        scopes: [String] = ["read"], expiresAfter: Int64? = nil, status: KeyRecord.Status = .active,
        previousUntilAfter: Int64? = nil, allowedIPs: NetworkList? = nil
    ) throws -> KeyRecord {
        KeyRecord(
            id: try #require(KeyID("key_0123456789abcdef")),
            terms: KeyTerms(
                name: "ci", scopes: try Self.scopes(scopes), expiresAt: expiresAfter.map { time.adding(seconds: $0) },
                allowedIPs: allowedIPs),
            status: status, createdAt: time, hash: try hash("a"),
            previous: try previousUntilAfter.map {
                KeyRecord.Previous(hash: try hash("b"), until: time.adding(seconds: $0), lastUsedAt: nil)
            })
    }

    @Test func refusals() throws {
        let (current, previous, other) = (try Self.hash("a"), try Self.hash("b"), try Self.hash("c"))
        func refusal(_ record: KeyRecord, _ hash: KeyHash, _ scopes: [String] = [], after: Int64 = 0) throws
            -> KeyRefusal?
        {
            record.refusal(of: hash, requiring: try Self.scopes(scopes), at: Self.time.adding(seconds: after))
        }
        let plain = try Self.record()
        #expect(try refusal(plain, current) == nil)
        #expect(try refusal(plain, other) == .unknown)
        #expect(try refusal(plain, current, ["read"]) == nil)
        #expect(try refusal(plain, current, ["read", "write"]) == .scopeMissing)
        #expect(try refusal(plain, current, ["rea"]) == .scopeMissing)
        #expect(try refusal(Self.record(scopes: []), current) == nil)
        #expect(try refusal(Self.record(scopes: []), current, ["read"]) == .scopeMissing)
        #expect(try refusal(Self.record(scopes: ["*"]), current, ["read", "write"]) == nil)
        #expect(try refusal(Self.record(status: .revoked), current) == .revoked)
        #expect(try refusal(Self.record(status: .revoked), other) == .unknown, "a wrong secret learns nothing")
        let ending = try Self.record(expiresAfter: 10)
        #expect(try refusal(ending, current, after: 9) == nil)
        #expect(try refusal(ending, current, after: 10) == .expired)
        let rotated = try Self.record(previousUntilAfter: 10)
        #expect(try refusal(rotated, previous, after: 9) == nil)
        #expect(try refusal(rotated, previous, after: 10) == .expired)
        #expect(try refusal(rotated, current, after: 10) == nil)
        #expect(try refusal(rotated, previous, ["write"], after: 9) == .scopeMissing)
    }

    @Test func addresses() throws {
        let (current, previous) = (try Self.hash("a"), try Self.hash("b"))
        let bound = try Self.record(
            previousUntilAfter: 10, allowedIPs: NetworkList(["10.0.0.0/8", "2001:db8::/32"]))
        func refusal(_ hash: KeyHash, _ address: String?, _ scopes: [String] = []) throws -> KeyRefusal? {
            bound.refusal(
                of: hash, requiring: try Self.scopes(scopes), from: address.flatMap { IPAddress($0) }, at: Self.time)
        }
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8:ffff::1"] {
            #expect(try refusal(current, address) == nil && refusal(previous, address) == nil, "\(address)")
            #expect(try refusal(current, address, ["write"]) == .scopeMissing)
        }
        for address in ["11.1.2.3", "2001:db9::1", "::1", nil] {
            #expect(try refusal(current, address) == .addressNotAllowed)
            #expect(try refusal(previous, address, ["write"]) == .addressNotAllowed)
            #expect(try refusal(Self.hash("c"), address) == .unknown, "a stranger learns nothing")
        }
    }
}
