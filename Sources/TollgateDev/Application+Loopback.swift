package import Hummingbird
package import Logging
import NIOCore
package import ServiceLifecycle

extension Application where Responder == RouterResponder<BasicRequestContext> {
    /// A server on 127.0.0.1, as all stand-ins are.
    ///
    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - services: What runs as long as the server.
    ///   - onRunning: Called with the port once connections are accepted.
    package init(
        onLoopback router: Router<BasicRequestContext>, port: Int = 0, services: [any Service] = [], logger: Logger,
        onRunning: @escaping @Sendable (Int) async -> Void
    ) {
        self.init(
            router: router, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port)),
            services: services,
            onServerRunning: { channel in
                if let port = channel.localAddress?.port { await onRunning(port) }
            },
            logger: logger)
    }
}
