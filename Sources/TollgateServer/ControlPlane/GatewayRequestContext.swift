package import Hummingbird
import TollgateCore

/// What a control-plane handler knows beside the request itself.
package struct GatewayRequestContext: RequestContext {
    package var coreContext: CoreRequestContextStorage

    /// In the answer's `X-Request-Id`, in error bodies and in the log.
    var requestID = ""

    /// Where the request comes from.
    var network = ClientNetwork.unknown

    package init(source: Source) {
        coreContext = CoreRequestContextStorage(source: source)
    }
}
