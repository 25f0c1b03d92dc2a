import ClerkAuth
import NIOCore
import Testing
import TollgateCore

/// Keys over HTTP: loaded once, kept, and loaded again when there is a reason.
@Suite struct KeySetTests {
    @Test func oneLoadServesAHundredFirstCallers() async throws {
        try await withJWKS(keySet(try TestKey.first.jwk("ins_1"))) { server, authenticator, _ in
            let token = try await TestToken().signed()
            let refusals = await withTaskGroup { group in
                for _ in 0..<100 { group.addTask { await authenticator.refusal(of: token) } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(refusals == Array(repeating: nil, count: 100))
            #expect(server.requestCount == 1)
            #expect(server.lastAuthorization == "Bearer sk_test_1")
        }
    }

    @Test func aRememberedTokenNeedsNoKeys() async throws {
        try await withJWKS(keySet(try TestKey.first.jwk("ins_1"))) { server, authenticator, time in
            let token = try await TestToken().signed()
            #expect(await authenticator.refusal(of: token) == nil)
            time.advance(seconds: 30)
            #expect(await authenticator.refusal(of: token) == nil)
            #expect(server.requestCount == 1)
            #expect(authenticator.signatureChecks == 1)
        }
    }

    @Test func aTokenMustNameItsKey() async throws {
        try await withJWKS(keySet(try TestKey.first.jwk("ins_1"))) { server, authenticator, _ in
            let token = try await TestToken(header: ["kid": nil]).signed()
            #expect(await authenticator.refusal(of: token) == .keyUnknown)
            #expect(server.requestCount == 0)
        }
    }

    @Test func unknownKeysLoadAtMostOnceInFiveSeconds() async throws {
        try await withJWKS(keySet(try TestKey.first.jwk("ins_1"))) { server, authenticator, time in
            let token = try await TestToken().signed()
            #expect(await authenticator.refusal(of: token) == nil)
            for round in 1...3 {
                time.advance(seconds: 5)
                for index in 0..<20 {
                    let token = try await TestToken(header: ["kid": "\"x\(round)_\(index)\""]).signed()
                    #expect(await authenticator.refusal(of: token) == .keyUnknown)
                }
                #expect(server.requestCount == 1 + round)
            }
        }
    }

    @Test func aNewKeyIsFoundWhenATokenNamesIt() async throws {
        try await withJWKS(keySet(try TestKey.first.jwk("ins_1"))) { server, authenticator, time in
            let old = try await TestToken().signed()
            #expect(await authenticator.refusal(of: old) == nil)
            server.answer(keySet(try TestKey.first.jwk("ins_1"), try TestKey.second.jwk("ins_2")))
            time.advance(seconds: 5)
            let new = try await TestToken(header: ["kid": #""ins_2""#]).signed(by: .second)
            #expect(await authenticator.refusal(of: new) == nil)
            #expect(server.requestCount == 2)
            #expect(try authenticator.remembered(token: old) != nil)
        }
    }

    @Test func aKeyReplacedUnderItsNameIsFoundByTheBadSignature() async throws {
        try await withJWKS(keySet(try TestKey.first.jwk("ins_1"))) { server, authenticator, time in
            let old = try await TestToken().signed()
            #expect(await authenticator.refusal(of: old) == nil)
            server.answer(keySet(try TestKey.second.jwk("ins_1")))
            time.advance(seconds: 5)
            let new = try await TestToken().signed(by: .second)
            #expect(await authenticator.refusal(of: new) == nil)
            #expect(server.requestCount == 2)

            // The old key is gone, and so is what it vouched for.
            #expect(try authenticator.remembered(token: old) == nil)
            #expect(await authenticator.refusal(of: old) == .signatureInvalid)
            #expect(server.requestCount == 2)
        }
    }

    @Test func tokensOfAnotherInstanceWithTheSameNameAreRefused() async throws {
        try await withJWKS(keySet(try TestKey.first.jwk("ins_1"))) { server, authenticator, time in
            for _ in 0..<10 {
                let token = try await TestToken(claims: ["sub": #""user_1""#]).signed(by: .second)
                #expect(await authenticator.refusal(of: token) == .signatureInvalid)
            }
            #expect(server.requestCount == 1)
            time.advance(seconds: 5)
            let token = try await TestToken().signed(by: .second)
            for _ in 0..<10 { #expect(await authenticator.refusal(of: token) == .signatureInvalid) }
            #expect(server.requestCount == 2)
        }
    }

    @Test func keysAreKeptWhileClerkIsDown() async throws {
        try await withJWKS(keySet(try TestKey.first.jwk("ins_1"))) { server, authenticator, time in
            let token = try await TestToken().signed()
            #expect(await authenticator.refusal(of: token) == nil)
            server.fail()
            time.advance(seconds: 3600)
            let exp = "\(testNow + 3660)"
            let unknown = try await TestToken(header: ["kid": #""x""#], claims: ["exp": exp]).signed()
            #expect(await authenticator.refusal(of: unknown) == .keyUnknown)
            #expect(server.requestCount == 2)
            let known = try await TestToken(claims: ["exp": exp]).signed()
            #expect(await authenticator.refusal(of: known) == nil)
        }
    }

    @Test func withoutKeysNothingCanBeSaidUntilTheyCome() async throws {
        try await withJWKS("") { server, authenticator, time in
            server.fail()
            let token = try await TestToken().signed()
            #expect(await authenticator.refusal(of: token) == .keysUnavailable)
            server.answer(keySet(try TestKey.first.jwk("ins_1")))
            time.advance(milliseconds: 4999)
            #expect(await authenticator.refusal(of: token) == .keysUnavailable)
            #expect(server.requestCount == 1)
            time.advance(milliseconds: 1)
            #expect(await authenticator.refusal(of: token) == nil)
            #expect(server.requestCount == 2)
        }
    }
}
