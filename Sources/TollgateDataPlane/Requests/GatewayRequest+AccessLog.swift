import HTTPWire
import NIOCore
import ReverseProxy
import TollgateCore

/// The line that the access log has of a request of the data plane.
extension GatewayRequest {
    /// Why a request passed that was not refused.
    var passingVerdict: String {
        if flow.isDegraded { return "degraded" }
        return flow.principal == nil ? "open" : "admitted"
    }

    /// The request has ended: once, however often it is told.
    ///
    /// - Parameters:
    ///   - status: Of the answer; 0 when there was none.
    ///   - answerBytes: Of the answer's body. Of one that came from an upstream `outcome` says it.
    ///   - outcome: How the exchange with upstreams has ended, if there was one.
    func log(
        status: Int, verdict: @autoclosure () -> String, answerBytes: Int = 0, outcome: ProxyOutcome? = nil,
        cause: String? = nil
    ) {
        guard let log = connection.accessLog, !isLogged else { return }
        isLogged = true
        guard log.wants(status: status) else { return }
        var line = AccessLine(requestID: requestID, status: status, verdict: verdict())
        line.method = head.method
        line.target = address.target.text
        line.route =
            switch purpose {
            case .verifyAuth: "verify-auth"
            case .authorize: "authorize"
            case .proxy(let route): route.route.name
            }
        line.user = flow.principal?.userID.value
        line.plan = flow.plan
        line.nanoseconds = elapsedNanoseconds
        line.requestBytes = discardedBytes
        line.answerBytes = answerBytes
        line.cause = cause
        if let outcome {
            line.upstream = outcome.upstream
            line.upstreamNanoseconds = outcome.upstream == nil ? nil : outcome.durationNanoseconds
            line.requestBytes = outcome.requestBytes
            if outcome.error == nil { line.answerBytes = outcome.answerBytes }
        }
        log.write(line)
    }
}
