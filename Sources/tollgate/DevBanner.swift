import ServiceLifecycle
import TollgateDev
import TollgateServer

/// Prints where everything is and lines that can be pasted, once it all runs.
struct DevBanner: Service {
    let dataDirectory: String
    let token: String
    let redisPort: Int
    let ports: DevPorts
    let stripe: StripeStandIn
    let gateway: Gateway
    let samples: SampleUserPreparation

    func run() async throws {
        guard let opened = await gateway.addresses.opened() else { return }
        stripe.webhooks.url = "http://127.0.0.1:\(opened.publicPort)/webhook/stripe"
        // The first line may be pasted as soon as it is there. Redis runs already, so this takes milliseconds.
        while !Task.isCancelled, !(await gateway.isReady()) { try? await Task.sleep(for: .milliseconds(10)) }
        await samples.run()
        Process.say(text(port: opened.publicPort, adminPort: opened.adminPort))
        try? await gracefulShutdown()
    }

    private func text(port: Int, adminPort: Int) -> String {
        """
        Tollgate runs offline: no account anywhere, nothing leaves this machine.

          gateway            http://127.0.0.1:\(port)
          dashboard          http://127.0.0.1:\(port)/dashboard  (sign in as one of five sample users)
          admin              http://127.0.0.1:\(adminPort)/overview  /readyz  /metrics
          identity provider  http://127.0.0.1:\(ports.identity)  (stands in for Clerk)
          Clerk's API        http://127.0.0.1:\(ports.clerk)/v1/users/user_abc  (with the key sk_test_development)
          Stripe             http://127.0.0.1:\(ports.stripe)  (stands in: pages, events, webhooks)
          data               \(dataDirectory)

        A call of user_abc, on the free plan with 5 calls a month:

          curl -X POST http://127.0.0.1:\(port)/verify-auth -H 'Authorization: Bearer \(token)'

        A page on which user_abc buys the plan 'paid', with 500 calls; open the checkoutUrl in a browser:

          curl -X POST http://127.0.0.1:\(port)/create-checkout -H 'Authorization: Bearer \(token)'

        What Redis knows of it:

          redis-cli -p \(redisPort) HGETALL 'usage:{user_abc}'

        A token of another user or plan:

          \(Process.commandName) dev token --data \(dataDirectory) --user user_def --plan paid

        Ctrl-C stops everything.

        """
    }
}
