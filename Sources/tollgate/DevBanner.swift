import ServiceLifecycle
import TollgateConfiguration
import TollgateCore
import TollgateDev
import TollgateServer

/// Says where everything is, once it all runs, in short lines that can be pasted, and later what has become of
/// `tollgate.yaml`.
struct DevBanner: Service {
    let data: DevDataOptions
    let redisPort: Int

    /// Whether Redis had to go elsewhere than the guides say.
    let isRedisPortTaken: Bool
    let ports: DevPorts
    let configurationFile: ConfigurationFile
    let stripe: StripeStandIn
    let gateway: Gateway

    /// Is told the gateway's address.
    let instance: RunningInstance
    let samples: SampleUserPreparation

    func run() async throws {
        guard let opened = await gateway.addresses.opened() else { return }
        stripe.webhooks.url = "http://127.0.0.1:\(opened.publicPort)/webhook/stripe"
        instance.tell(gatewayURL: "http://127.0.0.1:\(opened.publicPort)")
        // The first line may be pasted as soon as it is there. Redis runs already, so this takes milliseconds.
        while !Task.isCancelled, !(await gateway.isReady()) { try? await Task.sleep(for: .milliseconds(10)) }
        await samples.run()
        Process.say(text(port: opened.publicPort, adminPort: opened.adminPort))
        try? await gracefulShutdown()
    }

    /// One line for a change of the file.
    func tell(of routes: RouteTable) {
        let count = routes.routes.count
        Process.say("\(fileName): \(count == 1 ? "1 route is" : "\(count) routes are") in force\n")
    }

    /// Where the user works, no path is needed.
    private var fileName: String {
        let here = "\(Process.workingDirectory)/"
        let path = configurationFile.path
        return path.hasPrefix(here) ? String(path.dropFirst(here.count)) : path
    }

    private func text(port: Int, adminPort: Int) -> String {
        let file = configurationFile.hasContents ? fileName : "\(fileName) does not exist yet, and is read when it does"
        let taken = isRedisPortTaken ? "  (the usual port is taken)" : ""
        return """
            Tollgate runs offline: no account anywhere, nothing leaves this machine.

              gateway            http://127.0.0.1:\(port)
              dashboard          http://127.0.0.1:\(port)/dashboard  (sign in as one of five sample users)
              admin              http://127.0.0.1:\(adminPort)/overview  /readyz  /metrics
              identity provider  http://127.0.0.1:\(ports.identity)  (stands in for Clerk)
              Clerk's API        http://127.0.0.1:\(ports.clerk)/v1/users/user_abc  (with the key sk_test_development)
              Stripe             http://127.0.0.1:\(ports.stripe)  (stands in: pages, events, webhooks)
              Redis              redis-cli -p \(redisPort)\(taken)
              routes             \(file)
              data               \(data.data)

            In another terminal, a call of user_abc, who is on the free plan with 5 calls a month:

              TOKEN=$(\(Process.commandName) dev token\(data.flag) --user user_abc)
              curl -X POST http://127.0.0.1:\(port)/verify-auth -H "Authorization: Bearer $TOKEN"

            A page on which user_abc buys the plan 'paid', with 500 calls; open the checkoutUrl in a browser:

              curl -X POST http://127.0.0.1:\(port)/create-checkout -H "Authorization: Bearer $TOKEN"

            What Redis knows of it:

              redis-cli -p \(redisPort) HGETALL 'usage:{user_abc}'

            Ctrl-C stops everything.

            """
    }
}
