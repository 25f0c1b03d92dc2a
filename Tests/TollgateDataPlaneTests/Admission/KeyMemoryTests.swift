import HTTPWire
import TestSupport
import Testing
import TollgateCore

@testable import TollgateDataPlane

@Suite struct KeyMemoryTests {
    /// A field may have as many blanks before the key as a head has room for, and what is remembered is the field.
    @Test func longFieldsAreNotRemembered() throws {
        let memory = KeyMemory()
        let principal = Principal(userID: try #require(UserID("user_abc")))
        for (length, isRemembered) in [(KeyMemory.maximumLength, true), (KeyMemory.maximumLength + 1, false)] {
            let field = Self.authorization("Bearer" + String(repeating: " ", count: length - 16) + "sk_live_ab")
            memory.remember(principal, for: field)
            #expect((memory.principal(for: field) != nil) == isRemembered)
        }
    }

    private static func authorization(_ value: String) -> KeyMemory.Presentation {
        KeyMemory.Presentation(field: .authorization, value: value)
    }

    private static let count = 8_000

    /// The time that it takes to remember `credentials` and to find each of them again.
    private static func time(for values: [String]) throws -> Duration {
        let credentials = values.map(authorization)
        let principal = Principal(userID: try #require(UserID("user_abc")))
        let memory = KeyMemory()
        let start = ContinuousClock.now
        for credential in credentials { memory.remember(principal, for: credential) }
        let found = credentials.count { memory.principal(for: $0) != nil }
        let duration = ContinuousClock.now - start
        #expect(found == credentials.count)
        return duration
    }

    /// A password of Basic authentication is the caller's own, so they choose how the whole credential ends.
    @Test(.tags(.measuresTime)) func credentialsWithOneEndingAreFoundAsFastAsOthers() throws {
        let ending = String(repeating: "A", count: 64)
        let alike = (0..<Self.count).map { "Basic \($0)\(ending)" }
        let unlike = (0..<Self.count).map { "Basic \(ending)\($0)" }
        let (slow, fast) = (try Self.time(for: alike), try Self.time(for: unlike))
        // Were only the endings hashed, each would be looked for among thousands.
        #expect(slow < fast * 10 + .milliseconds(50), "\(slow) instead of \(fast)")
    }
}
