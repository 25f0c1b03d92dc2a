package import Logging
package import NIOCore
package import TollgateConfiguration

/// The command line's door to what operators can ask and do: goes to Redis itself, with the settings of `serve`.
package enum OperatorConsole {
    /// Runs `body` with the operations of the gateway that `configuration` describes.
    ///
    /// - Throws: When Redis cannot be reached, one line that says why; else what `body` throws.
    package static func with<Value>(
        _ configuration: GatewayConfiguration, eventLoopGroup: any EventLoopGroup, logger: Logger,
        _ body: (OperatorAPI) async throws -> Value
    ) async throws -> Value {
        try await CommandConnection.with(configuration, eventLoopGroup: eventLoopGroup, logger: logger) { connection in
            let composition = OperatorComposition(
                configuration: configuration, redis: connection.redis, billing: connection.billing,
                authenticator: try connection.authenticator(), routes: { configuration.routes }, time: connection.time,
                logger: logger)
            return try await body(composition.api)
        }
    }
}
