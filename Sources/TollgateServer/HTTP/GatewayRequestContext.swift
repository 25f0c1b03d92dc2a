import Hummingbird
import NIOCore

/// What a control-plane handler knows beside the request itself.
package struct GatewayRequestContext: RequestContext {
    package var coreContext: CoreRequestContextStorage

    /// In the answer's `X-Request-Id`, in error bodies and in the log.
    package var requestID = ""

    /// Where the connection comes from. Nil when that has no address.
    package let network: ClientNetwork?

    package init(source: Source) {
        coreContext = CoreRequestContextStorage(source: source)
        network = source.channel.remoteAddress?.ipAddress.flatMap { ClientNetwork(address: $0) }
    }
}
