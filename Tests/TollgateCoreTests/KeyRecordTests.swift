import Testing
import TollgateCore

@Suite struct KeyRecordTests {
    private static let time = UnixTime(seconds: 1_764_198_000)

    private static func scopes(_ texts: [String]) throws -> [KeyScope] {
        try texts.map { try #require(KeyScope($0)) }
    }

    @Test(arguments: ["read", "orders:write", "a/b.c-d_1", "*", String(repeating: "s", count: 64)])
    func scopesAreRead(text: String) { #expect(KeyScope(text)?.value == text) }

    @Test(arguments: ["", "Read", "a b", "a*", "**", "é", "a\n", String(repeating: "s", count: 65)])
    func otherScopesAreNot(text: String) { #expect(KeyScope(text) == nil) }

    @Test func draftsAreChecked() throws {
        let time = Self.time
        for name in ["", "a\nb", "a\u{2028}b", String(repeating: "n", count: 101), String(repeating: "é", count: 51)] {
            #expect(throws: KeyDraft.Problem.name) { try KeyDraft(KeyTerms(name: name), at: time) }
        }
        #expect(try KeyDraft(KeyTerms(name: "CI, nightly ✓"), at: time).terms.scopes == [.all])
        let many = try Self.scopes((0..<33).map { "s\($0)" })
        #expect(throws: KeyDraft.Problem.tooManyScopes(33)) {
            try KeyDraft(KeyTerms(name: "n", scopes: many), at: time)
        }
        for seconds in [0, -1, .min] as [Int64] {
            #expect(throws: KeyDraft.Problem.expiry) {
                try KeyDraft(KeyTerms(name: "n", expiresAt: time.adding(seconds: seconds)), at: time)
            }
        }
        #expect(try KeyDraft(KeyTerms(name: "n", expiresAt: time.adding(seconds: 1)), at: time).terms.expiresAt != nil)
    }

    @Test func addressesOfADraftAreOneToSixteen() throws {
        func networks(_ count: Int) throws -> NetworkList {
            try #require(NetworkList((0..<count).map { "192.0.2.\($0)" }))
        }
        for count in [0, 17, 256] {
            #expect(throws: KeyDraft.Problem.allowedIPs(count)) {
                try KeyDraft(KeyTerms(name: "n", allowedIPs: networks(count)), at: Self.time)
            }
        }
        for count in [1, 16] {
            let draft = try KeyDraft(KeyTerms(name: "n", allowedIPs: networks(count)), at: Self.time)
            #expect(draft.terms.allowedIPs?.count == count)
        }
        #expect(try KeyDraft(KeyTerms(name: "n"), at: Self.time).terms.allowedIPs == nil)
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
