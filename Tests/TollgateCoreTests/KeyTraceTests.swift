import Testing
import TollgateCore

/// Keys are found in the middle of other text.
@Suite struct KeyTraceTests {
    private static func key(owner: String, mode: KeyMode) throws -> String {
        let id = try #require(KeyID(bytes: Array(0..<10)))
        let owner = try #require(UserID(owner))
        return try #require(APIKey(id: id, owner: owner, mode: mode, secret: Array(0..<32))).text
    }

    private static func keys() throws -> [String] {
        try [
            key(owner: "u", mode: .live), key(owner: "user_abc", mode: .test),
            key(owner: String(repeating: "z", count: UserID.maximumLength), mode: .live),
            "pk_live_" + String(repeating: "0a", count: 32),
        ]
    }

    @Test func wholeKeysAreReplacedWhereverTheyStand() throws {
        for key in try Self.keys() {
            for (before, after) in [("", ""), ("a=", "; b"), ("x", " "), ("\"", "\""), ("_", "\t"), ("é", "é")] {
                let text = before + key + after
                #expect(KeyTrace.replacingKeys(in: text, with: "-") == before + "-" + after)
                #expect(KeyTrace.isIn(Array(text.utf8)))
            }
            #expect(KeyTrace.replacingKeys(in: "\(key) \(key)", with: "-") == "- -")
            #expect(
                KeyTrace.replacingKeys(in: key + "more", with: "-") == "-", "what is glued to it may be a part of it")
        }
    }

    @Test func whatOnlyBeginsLikeAKeyStays() throws {
        for key in try Self.keys() {
            for length in 8..<60 where length < key.count - 1 {
                let cut = String(key.prefix(length))
                #expect(KeyTrace.replacingKeys(in: cut, with: "-") == cut, "\(cut)")
                #expect(KeyTrace.isIn(Array(cut.utf8)))
            }
            #expect(!KeyTrace.isIn(Array(key.dropFirst().utf8)) && !KeyTrace.isIn(Array(key.prefix(7).utf8)))
        }
        for text in ["", "_", "k_live_", "sk_live", "pk_test_1", "__________", "sk_livesk_", "rk_live_abc"] {
            #expect(!KeyTrace.isIn(Array(text.utf8)), "\(text)")
        }
        #expect(KeyTrace.replacingKeys(in: "no key", with: "-") == "no key")
    }
}
