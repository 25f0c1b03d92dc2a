import HTTPTypes
import JSONValue
import Testing
import TollgateCore

@testable import TollgateDataPlane

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite struct PresentedCredentialTests {
    private static let platformKey = "pk_live_" + String(repeating: "0f", count: 32)

    private static func secretKey() throws -> APIKey {
        let id = try #require(KeyID("key_0123456789abcdef"))
        let owner = try #require(UserID("user_abc"))
        return try #require(
            APIKey(id: id, owner: owner, mode: .live, secret: Array(repeating: 7, count: APIKey.secretByteCount)))
    }

    /// The same key with one wrong character in its secret.
    private static func mistyped(_ key: String) -> String {
        let place = key.index(key.endIndex, offsetBy: -10)
        return key[..<place] + (key[place] == "0" ? "1" : "0") + key[key.index(after: place)...]
    }

    private static func basic(_ pair: String) -> String { "Basic " + Data(pair.utf8).base64EncodedString() }

    private static func read(_ authorization: String..., apiKey: [String] = []) throws -> PresentedCredential {
        try PresentedCredential.read(authorization: authorization, apiKey: apiKey)
    }

    /// The refusal of what is presented. Fails the test when there is none.
    private static func refusal(_ authorization: [String], apiKey: [String] = []) -> APIError? {
        do throws(APIError) {
            Issue.record("was read as \(try PresentedCredential.read(authorization: authorization, apiKey: apiKey))")
            return nil
        } catch {
            return error
        }
    }

    @Test func tokensAndKeysAreToldApart() throws {
        let key = try Self.secretKey()
        #expect(try Self.read("Bearer a.b.c") == .token("a.b.c"))
        #expect(try Self.read("bEaReR   a.b.c") == .token("a.b.c"))
        #expect(try Self.read("Bearer oat_abc") == .token("oat_abc"))
        #expect(try Self.read("Bearer \(key.text)") == .key(.secret(key)))
        guard case .key(.platform(let platform)) = try Self.read("Bearer \(Self.platformKey)") else {
            Issue.record("no platform key")
            return
        }
        #expect(platform.text == Self.platformKey)
    }

    @Test func aKeyHasThreeWaysIn() throws {
        let key = try Self.secretKey()
        #expect(try Self.read(apiKey: [key.text]) == .key(.secret(key)))
        #expect(try Self.read(Self.basic("\(key.text):")) == .key(.secret(key)))
        #expect(try Self.read(Self.basic("\(key.text):a password: with colons")) == .key(.secret(key)))
        #expect(try Self.read(Self.basic("\(key.text):").replacing("Basic", with: "basic")) == .key(.secret(key)))
    }

    @Test func theFieldOfKeysGoesFirst() throws {
        let key = try Self.secretKey()
        #expect(try Self.read("Bearer a.b.c", apiKey: [key.text]) == .key(.secret(key)))
        #expect(try Self.read("Bearer a.b.c", apiKey: [""]) == .token("a.b.c"), "an empty field presents nothing")
    }

    @Test func severalFieldsAreRefusedByName() {
        for (authorization, apiKey, field) in [
            (["Bearer a", "Bearer b"], [], "Authorization"), (["Bearer a", "Bearer b"], ["x"], "Authorization"),
            ([], ["x", "x"], "X-API-Key"),
        ] {
            let refusal = Self.refusal(authorization, apiKey: apiKey)
            #expect(refusal?.status == .badRequest)
            #expect(refusal?.code == "duplicate-authorization")
            #expect(refusal?.message == "Send one \(field) header, not several.")
            #expect(refusal?.isFailedKey == false)
        }
    }

    @Test(arguments: [[], [""], ["Bearer "], ["Bearer"], ["Digest a"], ["Basic"], ["sk_live_x"]])
    func whoPresentsNothingIsToldAllWays(authorization: [String]) {
        let refusal = Self.refusal(authorization)
        #expect(refusal?.status == .unauthorized)
        #expect(refusal?.code == "session-token-missing")
        #expect(refusal?.headers[.wwwAuthenticate] == "Bearer")
        for way in ["Authorization: Bearer", "X-API-Key", "Basic"] {
            #expect(refusal?.message?.contains(way) == true, "\(way)")
        }
        #expect(refusal?.isFailedKey == false)
    }

    @Test func keysThatCannotBeOneAreRefusedWithoutShowingThem() throws {
        let good = try Self.secretKey().text
        let mistyped = Self.mistyped(good)
        let cases: [(authorization: [String], apiKey: [String], code: String)] = [
            (["Bearer \(good.dropLast())"], [], "key-malformed"),
            (["Bearer sk_test_"], [], "key-malformed"),
            (["Bearer \(Self.platformKey.uppercased().replacing("PK_LIVE_", with: "pk_live_"))"], [], "key-malformed"),
            (["Basic !!!!"], [], "key-malformed"),
            (["Basic " + String(repeating: "A", count: 4096)], [], "key-malformed"),
            ([Self.basic("user:pass")], [], "key-malformed"),
            ([Self.basic(good)], [], "key-malformed"),
            ([Self.basic(":\(good)")], [], "key-malformed"),
            ([], ["a.b.c"], "key-malformed"),
            (["Bearer a.b.c"], ["not a key"], "key-malformed"),
            ([], [mistyped], "key-checksum-mismatch"),
            ([Self.basic("\(mistyped):")], [], "key-checksum-mismatch"),
        ]
        for bad in cases {
            let refusal = Self.refusal(bad.authorization, apiKey: bad.apiKey)
            #expect(refusal?.status == .unauthorized)
            #expect(refusal?.code == bad.code, "\(bad.authorization) \(bad.apiKey)")
            #expect(refusal?.headers[.wwwAuthenticate] == #"Bearer error="invalid_token""#)
            #expect(refusal?.isFailedKey == true)
            let body = refusal?.body(requestID: "r").text ?? ""
            #expect(!body.contains(good.dropFirst(20).prefix(20)) && !body.contains("a.b.c"))
        }
    }

    @Test func noDescriptionHasTheSecret() throws {
        let key = try Self.secretKey()
        let credentials: [PresentedCredential] = [
            .token("a.secret.token"), .key(.secret(key)), try Self.read(apiKey: [Self.platformKey]),
        ]
        for credential in credentials {
            var dumped = ""
            dump(credential, to: &dumped)
            for text in ["\(credential)", String(reflecting: credential), dumped] {
                #expect(!text.contains("secret.token") && !text.contains(key.text.suffix(30)) && !text.contains("0f0f"))
            }
        }
    }
}
