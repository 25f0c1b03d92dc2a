import Testing
import TollgateCore

@Suite struct APIKeyTests {
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz")

    private static func key(
        owner: String = "user_2abcDEF", mode: KeyMode = .live, seed: UInt64 = 1
    ) throws -> APIKey {
        var random = SplitMix(state: seed)
        let id = try #require(KeyID(bytes: (0..<KeyID.byteCount).map { _ in random.byte() }))
        let owner = try #require(UserID(owner))
        let secret = (0..<APIKey.secretByteCount).map { _ in random.byte() }
        return try #require(APIKey(id: id, owner: owner, mode: mode, secret: secret))
    }

    /// Written down once: keys that are out there must be readable by every later version.
    @Test func theFormNeverChanges() throws {
        let id = try #require(KeyID(bytes: Array(0..<10)))
        let owner = try #require(UserID("user_abc"))
        let key = try #require(APIKey(id: id, owner: owner, mode: .live, secret: Array(0..<32)))
        #expect(id.value == "key_000g40r40m30e209")
        #expect(key.text == Self.goldenText)
        #expect(try APIKey(Self.goldenText) == key)
    }

    private static let goldenText =
        "sk_live_000g40r40m30e209enspawjzc5h66"
        + "_000g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfgfhdyzkg"

    @Test(arguments: KeyMode.allCases) func keysAreReadBack(mode: KeyMode) throws {
        let longest = String(repeating: "a", count: UserID.maximumLength)
        for (number, owner) in ["u", "user_2abcDEF", "auth0|1:x@y.z+=-", longest].enumerated() {
            let key = try Self.key(owner: owner, mode: mode, seed: UInt64(number))
            #expect(key.text.hasPrefix(mode.prefix))
            #expect(key.text.utf8.count <= APIKey.maximumLength)
            #expect(!key.text.contains(owner) || owner == "u", "the owner does not stand there for all to see")
            let read = try APIKey(key.text)
            #expect(read == key && read.owner.value == owner && read.mode == mode)
            #expect(try PresentedKey(key.text) == .secret(key))
            #expect(PresentedKey.claims(key.text))
        }
    }

    @Test func everyMistypedCharacterIsFound() throws {
        let key = try Self.key()
        let text = Array(key.text)
        for position in text.indices {
            for other in Self.alphabet + ["_", "L", "é"] where other != text[position] {
                var mistyped = text
                mistyped[position] = other
                #expect(throws: APIKey.Problem.self) { try APIKey(String(mistyped)) }
            }
        }
    }

    @Test func swappedLostAndDoubledCharactersAreFound() throws {
        for seed in 0..<20 {
            let text = Array(try Self.key(seed: UInt64(seed)).text)
            for position in text.indices.dropLast() where text[position] != text[position + 1] {
                var swapped = text
                swapped.swapAt(position, position + 1)
                var (lost, doubled) = (text, text)
                lost.remove(at: position)
                doubled.insert(text[position], at: position)
                for wrong in [swapped, lost, doubled] {
                    #expect(throws: APIKey.Problem.self) { try APIKey(String(wrong)) }
                }
            }
        }
    }

    @Test func problemsAreTold() throws {
        let text = try Self.key().text
        let last = text.last == "0" ? "g" : "0"
        #expect(throws: APIKey.Problem.checksumMismatch) {
            try APIKey(text.replacing("sk_live_", with: "sk_test_"))
        }
        let middle = text.index(text.endIndex, offsetBy: -20)
        let wrong = text[..<middle] + (text[middle] == "0" ? "1" : "0") + text[text.index(after: middle)...]
        #expect(throws: APIKey.Problem.checksumMismatch) { try APIKey(String(wrong)) }
        let malformed = [
            "", "sk_live_", "sk_live_abc", text + "0", String(text.dropLast()), text.uppercased(), " " + text,
            text.replacing("sk_live_", with: "sk_dead_"), String(text.dropLast()) + "u",
            String(text.dropLast()) + "\(last)\n", String(repeating: "a", count: 10_000),
        ]
        for other in malformed { #expect(throws: APIKey.Problem.malformed) { try APIKey(other) } }
    }

    /// Whatever comes in, reading it ends; and no two texts are the same key.
    @Test func anyTextIsReadOrRefused() throws {
        var random = SplitMix(state: 7)
        let text = Array(try Self.key().text.utf8)
        for _ in 0..<20_000 {
            var bytes = text
            for _ in 0...random.next() % 4 { bytes[Int(random.next() % UInt64(bytes.count))] = random.byte() }
            guard let read = try? APIKey(String(decoding: bytes, as: UTF8.self)) else { continue }
            #expect(read.text == String(decoding: text, as: UTF8.self))
        }
    }

    @Test func theSecretStaysOutOfDescriptions() throws {
        let key = try Self.key()
        let issued = IssuedKey(
            key: key,
            record: KeyRecord(
                id: key.id, terms: KeyTerms(name: "ci"),
                createdAt: UnixTime(seconds: 0),
                hash: try #require(KeyHash(hex: String(repeating: "0a", count: 32)))))
        let platformKey = try #require(PlatformKey("pk_live_" + String(repeating: "9a", count: 32)))
        let secrets = [String(key.text.suffix(59).prefix(12)), "9a9a"]
        let values: [Any] = [key, issued, platformKey, PresentedKey.secret(key), PresentedKey.platform(platformKey)]
        for value in values {
            var dumped = ""
            dump(value, to: &dumped)
            for text in ["\(value)", String(reflecting: value), "\([value])", dumped] {
                for secret in secrets { #expect(!text.contains(secret)) }
            }
        }
        #expect("\(key)".contains(key.id.value))
    }

    @Test func platformKeysAreReadToo() throws {
        let text = "pk_live_" + String(repeating: "9a", count: 32)
        let key = try #require(PlatformKey(text))
        #expect(try PresentedKey(text) == .platform(key))
        #expect(PresentedKey.claims(text))
        #expect(throws: APIKey.Problem.malformed) { try PresentedKey(text + "0") }
        #expect(!PresentedKey.claims("eyJhbGciOiJSUzI1NiJ9.e30.c2ln"))
    }
}

/// The same bytes in every run (splitmix64).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }
}
