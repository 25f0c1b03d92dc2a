import Testing
import TollgateCore

@Suite struct KeyRecordTests {
    private static let time = UnixTime(seconds: 1_764_198_000)

    private static func hash(_ digit: Character) throws -> KeyHash {
        try #require(KeyHash(hex: String(repeating: digit, count: 64)))
    }

    private static func scopes(_ texts: [String]) throws -> [KeyScope] {
        try texts.map { try #require(KeyScope($0)) }
    }

    private static func record(
        scopes: [String] = ["read"], expiresAfter: Int64? = nil, status: KeyRecord.Status = .active,
        previousUntilAfter: Int64? = nil
    ) throws -> KeyRecord {
        KeyRecord(
            id: try #require(KeyID("key_0123456789abcdef")), name: "ci", mode: .live, scopes: try Self.scopes(scopes),
            status: status, createdAt: time, expiresAt: expiresAfter.map { time.adding(seconds: $0) },
            hash: try hash("a"),
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
        #expect(try refusal(Self.record(status: .revoked), other) == .unknown, "a stranger learns nothing")
        let ending = try Self.record(expiresAfter: 10)
        #expect(try refusal(ending, current, after: 9) == nil)
        #expect(try refusal(ending, current, after: 10) == .expired)
        let rotated = try Self.record(previousUntilAfter: 10)
        #expect(try refusal(rotated, previous, after: 9) == nil)
        #expect(try refusal(rotated, previous, after: 10) == .expired)
        #expect(try refusal(rotated, current, after: 10) == nil)
        #expect(try refusal(rotated, previous, ["write"], after: 9) == .scopeMissing)
    }

    @Test(arguments: ["read", "orders:write", "a/b.c-d_1", "*", String(repeating: "s", count: 64)])
    func scopesAreRead(text: String) { #expect(KeyScope(text)?.value == text) }

    @Test(arguments: ["", "Read", "a b", "a*", "**", "é", "a\n", String(repeating: "s", count: 65)])
    func otherScopesAreNot(text: String) { #expect(KeyScope(text) == nil) }

    @Test func draftsAreChecked() throws {
        let time = Self.time
        for name in ["", "a\nb", "a\u{2028}b", String(repeating: "n", count: 101), String(repeating: "é", count: 51)] {
            #expect(throws: KeyDraft.Problem.name) { try KeyDraft(name: name, at: time) }
        }
        #expect(try KeyDraft(name: "CI, nightly ✓", at: time).scopes == [.all])
        let many = try Self.scopes((0..<33).map { "s\($0)" })
        #expect(throws: KeyDraft.Problem.tooManyScopes(33)) { try KeyDraft(name: "n", scopes: many, at: time) }
        for seconds in [0, -1, .min] as [Int64] {
            #expect(throws: KeyDraft.Problem.expiry) {
                try KeyDraft(name: "n", expiresAt: time.adding(seconds: seconds), at: time)
            }
        }
        #expect(try KeyDraft(name: "n", expiresAt: time.adding(seconds: 1), at: time).expiresAt != nil)
    }

    @Test func namesAndHashesHaveOneForm() {
        #expect(KeyID("key_0123456789abcdef")?.value == "key_0123456789abcdef")
        for other in ["", "key_", "key_0123456789abcde", "key_0123456789abcdeu", "key-0123456789abcdef"] {
            #expect(KeyID(other) == nil)
        }
        #expect(KeyID(bytes: [1, 2, 3]) == nil)
        #expect(KeyHash(hex: String(repeating: "A", count: 64)) == nil)
        #expect(KeyHash(hex: String(repeating: "a", count: 63)) == nil)
    }

    @Test func idempotencyKeysAreChecked() {
        #expect(IdempotentCall(key: "\"8e03978e-40d5\"", fingerprint: "f")?.key == "8e03978e-40d5")
        for key in ["", "a b", "a}b", "{a", "a\"b", "\"", "é", String(repeating: "k", count: 256)] {
            #expect(IdempotentCall(key: key, fingerprint: "f") == nil)
        }
        for fingerprint in ["", "a b", "é", String(repeating: "f", count: 129)] {
            #expect(IdempotentCall(key: "k", fingerprint: fingerprint) == nil)
        }
        #expect(Reservation.Request(id: "a-1", leaseSeconds: 3600) != nil)
        for (id, seconds) in [("", 1), ("a b", 1), ("a", 0), ("a", 3601), ("a", -1)] as [(String, Int64)] {
            #expect(Reservation.Request(id: id, leaseSeconds: seconds) == nil)
        }
    }
}
