import ClerkAuth
import Testing
import TollgateCore

/// A token's signature is paid for once.
@Suite struct TokenMemoryTests {
    @Test func theSecondTimeCostsNoCryptography() async throws {
        let authenticator = try pemAuthenticator()
        let token = try await TestToken().signed()
        #expect(try authenticator.remembered(token: token) == nil)
        let principal = try await authenticator.authenticate(token: token)
        #expect(authenticator.signatureChecks == 1)
        for _ in 0..<10 { #expect(try await authenticator.authenticate(token: token) == principal) }
        #expect(try authenticator.remembered(token: token) == principal)
        #expect(authenticator.signatureChecks == 1)
    }

    @Test func aRefusedTokenIsNotRemembered() async throws {
        let authenticator = try pemAuthenticator()
        let token = try await TestToken(claims: ["sts": #""pending""#]).signed()
        #expect(await authenticator.refusal(of: token) == .sessionPending)
        #expect(try authenticator.remembered(token: token) == nil)
    }

    @Test func aRememberedTokenExpires() async throws {
        let time = TestTime()
        let authenticator = try pemAuthenticator(time)
        let token = try await TestToken().signed()
        #expect(await authenticator.refusal(of: token) == nil)
        time.advance(milliseconds: 64_999)
        #expect(await authenticator.refusal(of: token) == nil)
        time.advance(milliseconds: 1)
        #expect(await authenticator.refusal(of: token) == .tokenExpired)
        #expect(throws: AuthenticationFailure.self) { try authenticator.remembered(token: token) }
        time.advance(seconds: -120)
        #expect(await authenticator.refusal(of: token) == .tokenNotActiveYet)
        #expect(authenticator.signatureChecks == 1)
    }

    @Test func theMemoryIsBounded() async throws {
        let memory = TokenMemory(capacity: 100)
        let userID = try #require(UserID("user_1"))
        let entry = TokenMemory.Entry(
            principal: Principal(userID: userID), lifetime: TokenLifetime(expiresAt: UnixTime(seconds: testNow)))
        for index in 0..<1000 {
            memory.remember(entry, for: "\(index)", epoch: 0)
            #expect(memory.count <= 100)
        }
        #expect(memory.count >= 50)
        #expect(memory.entry(for: "999") == entry)
        #expect(memory.entry(for: "0") == nil)
    }

    @Test func aKeyOfAnEarlierEpochFillsNothing() throws {
        let memory = TokenMemory(capacity: 100)
        let userID = try #require(UserID("user_1"))
        let entry = TokenMemory.Entry(
            principal: Principal(userID: userID), lifetime: TokenLifetime(expiresAt: UnixTime(seconds: testNow)))
        memory.remember(entry, for: "1", epoch: 0)
        memory.forgetAll(epoch: 1)
        #expect(memory.count == 0)
        memory.remember(entry, for: "1", epoch: 0)
        #expect(memory.count == 0)
        memory.remember(entry, for: "1", epoch: 1)
        #expect(memory.count == 1)
    }

    @Test func aSmallCapacityStillVerifies() async throws {
        let authenticator = try pemAuthenticator(memoryCapacity: 0)
        let (first, second) = (try await TestToken().signed(), try await TestToken(claims: ["v": "1"]).signed())
        for token in [first, second, first] { #expect(await authenticator.refusal(of: token) == nil) }
    }
}
