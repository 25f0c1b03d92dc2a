import Testing
import TollgateCore

@testable import TollgateServer

@Suite struct KeyMemoryTests {
    /// A field may have as many blanks before the key as a head has room for, and what is remembered is the field.
    @Test func longFieldsAreNotRemembered() throws {
        let memory = KeyMemory()
        let principal = Principal(userID: try #require(UserID("user_abc")))
        for (length, isRemembered) in [(KeyMemory.maximumLength, true), (KeyMemory.maximumLength + 1, false)] {
            let text = "Bearer" + String(repeating: " ", count: length - 16) + "sk_live_ab"
            memory.remember(principal, for: text)
            #expect((memory.principal(for: text) != nil) == isRemembered)
        }
    }
}
