import Testing
import TollgateDev

struct LiveKeyGuardTests {
    @Test(
        arguments: ["CLERK_SECRET_KEY", "CLERK_PUBLISHABLE_KEY", "STRIPE_SECRET_KEY"],
        ["sk_live_abc", "pk_live_abc", "rk_live_abc", " \"sk_live_abc\"", "'sk_live_abc'"])
    func liveKeyIsRefused(variable: String, value: String) throws {
        let refusal = #expect(throws: LiveKeyGuard.Refusal.self) {
            try LiveKeyGuard.refuse(environment: ["HOME": "/", variable: value])
        }
        let message = try #require(refusal.map { "\($0)" })
        #expect(message.contains(variable))
        #expect(!message.contains("abc"))
    }

    @Test
    func everythingElsePasses() throws {
        try LiveKeyGuard.refuse(environment: [:])
        try LiveKeyGuard.refuse(environment: [
            "CLERK_SECRET_KEY": "sk_test_abc", "CLERK_PUBLISHABLE_KEY": "", "STRIPE_SECRET_KEY": "rk_test_sk_live_",
            "ANOTHER_KEY": "sk_live_abc",
        ])
    }
}
