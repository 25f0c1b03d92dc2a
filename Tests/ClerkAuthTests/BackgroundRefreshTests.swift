import ClerkAuth
import Testing
import TollgateCore

/// The loop that keeps keys fresh. How it waits is handed in, so nothing here does.
@Suite struct BackgroundRefreshTests {
    @Test func loadsAtOnceAndThenEveryFiveMinutes() async throws {
        try await withJWKS(keySet(try TestKey.first.jwk("ins_1"))) { server, authenticator, _ in
            var delays: [Duration] = []
            await authenticator.run { delay in
                delays.append(delay)
                if delays.count == 3 { throw CancellationError() }
            }
            #expect(delays == Array(repeating: .seconds(300), count: 3))
            #expect(server.requestCount == 3)
            let token = try await TestToken().signed()
            #expect(await authenticator.refusal(of: token) == nil)
            #expect(server.requestCount == 3)
        }
    }

    @Test func backsOffWhileClerkIsDownAndRecovers() async throws {
        try await withJWKS("") { server, authenticator, _ in
            server.fail()
            var delays: [Duration] = []
            await authenticator.run { delay in
                delays.append(delay)
                if delays.count == 7 { server.answer(keySet(try TestKey.first.jwk("ins_1"))) }
                if delays.count == 8 { throw CancellationError() }
            }
            let seconds: [ClosedRange<Int64>] = [1...2, 2...4, 4...8, 8...16, 16...32, 30...60, 30...60, 300...300]
            for (delay, range) in zip(delays, seconds) {
                #expect((.seconds(range.lowerBound))...(.seconds(range.upperBound)) ~= delay)
            }
            let token = try await TestToken().signed()
            #expect(await authenticator.refusal(of: token) == nil)
        }
    }

    @Test func aKeyThatClerkWithdrewIsForgottenWithItsTokens() async throws {
        let both = keySet(try TestKey.first.jwk("ins_1"), try TestKey.second.jwk("ins_2"))
        try await withJWKS(both) { server, authenticator, _ in
            let token = try await TestToken().signed()
            #expect(await authenticator.refusal(of: token) == nil)
            server.answer(keySet(try TestKey.second.jwk("ins_2")))
            await authenticator.run { _ in throw CancellationError() }
            #expect(try authenticator.remembered(token: token) == nil)
            #expect(await authenticator.refusal(of: token) == .keyUnknown)
        }
    }

    @Test func endsWhenItsTaskIsCancelled() async throws {
        try await withJWKS(keySet(try TestKey.first.jwk("ins_1"))) { _, authenticator, _ in
            let task = Task { await authenticator.run() }
            task.cancel()
            await task.value
        }
    }

    @Test func aPEMNeedsNoRefresh() async throws {
        try await pemAuthenticator().run()
    }
}
