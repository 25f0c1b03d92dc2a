import ServiceLifecycle
import TollgateServer

/// Prints where everything is and lines that can be pasted, once it all runs.
struct DevBanner: Service {
    let dataDirectory: String
    let token: String
    let redisPort: Int
    let identityPort: Int
    let gateway: Gateway

    func run() async throws {
        guard let ports = await gateway.addresses.opened() else { return }
        // The first line may be pasted as soon as it is there. Redis runs already, so this takes milliseconds.
        while !Task.isCancelled, !(await gateway.isReady()) { try? await Task.sleep(for: .milliseconds(10)) }
        Process.say(text(port: ports.publicPort, adminPort: ports.adminPort))
        try? await gracefulShutdown()
    }

    private func text(port: Int, adminPort: Int) -> String {
        """
        Tollgate runs offline: no account anywhere, nothing leaves this machine.

          gateway            http://127.0.0.1:\(port)
          admin              http://127.0.0.1:\(adminPort)/readyz  /metrics
          identity provider  http://127.0.0.1:\(identityPort)  (stands in for Clerk)
          data               \(dataDirectory)

        A call of user_abc, on the free plan with 5 calls a month:

          curl -X POST http://127.0.0.1:\(port)/verify-auth -H 'Authorization: Bearer \(token)'

        What Redis knows of it:

          redis-cli -p \(redisPort) HGETALL 'usage:{user_abc}'

        A token of another user or plan:

          \(Process.commandName) dev token --data \(dataDirectory) --user user_def --plan paid

        Ctrl-C stops everything.

        """
    }
}
