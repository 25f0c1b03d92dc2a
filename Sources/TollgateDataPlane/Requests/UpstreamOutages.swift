package import Logging
import NIOCore
import ReverseProxy
import Synchronization

/// What the log is told of upstreams that give no answers: one line when that begins and one when it is over, however many
/// requests fail meanwhile.
package final class UpstreamOutages: Sendable {
    /// Without a failure for so long, an answer says that it is over: one that fails now and then is not told of anew
    /// each time.
    private static let calm: TimeAmount = .seconds(5)

    /// Upstreams that are told of at once.
    private static let maximumOutages = 100

    private struct Outage {
        let since: NIODeadline
        var last: NIODeadline
        var failures = 1
    }

    private let logger: Logger
    private let outages = Mutex<[String: Outage]>([:])

    /// As many as are in ``outages``: asked for each request.
    private let count = Atomic<Int>(0)

    package init(logger: Logger) { self.logger = logger }

    /// An exchange has ended. Costs next to nothing while all is well.
    func ended(_ outcome: ProxyOutcome, at now: @autoclosure () -> NIODeadline = .now()) {
        switch outcome.error {
        case nil: if count.load(ordering: .relaxed) > 0, let place = outcome.upstream { answered(place, at: now()) }
        case .badGateway, .gatewayTimeout:
            if let place = outcome.upstream, let error = outcome.error { failed(place, error, at: now()) }
        case .request, .unavailable, .clientStalled, .clientGone: break
        }
    }

    private func failed(_ upstream: String, _ error: ProxyError, at now: NIODeadline) {
        let begins = outages.withLock { outages in
            if outages[upstream] != nil {
                outages[upstream]?.last = now
                outages[upstream]?.failures += 1
                return false
            }
            guard outages.count < Self.maximumOutages else { return false }
            outages[upstream] = Outage(since: now, last: now)
            count.store(outages.count, ordering: .relaxed)
            return true
        }
        guard begins else { return }
        logger.warning(
            "an upstream gives no answers", metadata: ["upstream": "\(upstream)", "reason": "\(error.words)"])
    }

    private func answered(_ upstream: String, at now: NIODeadline) {
        let ended = outages.withLock { outages -> Outage? in
            guard let outage = outages[upstream], now - outage.last >= Self.calm else { return nil }
            outages[upstream] = nil
            count.store(outages.count, ordering: .relaxed)
            return outage
        }
        guard let ended else { return }
        logger.notice(
            "an upstream answers again",
            metadata: [
                "upstream": "\(upstream)", "failedRequests": "\(ended.failures)",
                "afterSeconds": "\((ended.last - ended.since).nanoseconds / 1_000_000_000)",
            ])
    }
}

extension ProxyError {
    /// For the log.
    var words: String {
        switch self {
        case .badGateway(.connectFailed(let reason)), .badGateway(.tlsFailed(let reason)): reason
        case .badGateway(.closedBeforeAnswer): "it closed the connection before it answered"
        case .badGateway(.truncatedAnswer): "it closed the connection within its answer"
        case .badGateway(.malformedAnswer(let reason)): "what it answered is not HTTP/1.1: \(reason)"
        case .badGateway(.unrequestedUpgrade): "it changed to a protocol that was not asked for"
        case .unavailable(.noUpstream): "the health checks of all upstreams fail"
        case .unavailable(.circuitOpen): "it is given a rest, since it failed too often"
        case .unavailable(.poolExhausted): "all its connections are busy, and too many requests wait"
        case .unavailable(.clientShareExhausted): "the client's other requests hold its share of the connections"
        case .unavailable(.outOfDescriptors): "no descriptors are left"
        case .unavailable(.shuttingDown): "the worker shuts down"
        case .gatewayTimeout(.connect): "it does not take the connection in time"
        case .gatewayTimeout(.firstByte): "it did not begin to answer in time"
        case .gatewayTimeout(.idle): "it stopped within its answer"
        case .gatewayTimeout(.total): "it did not answer in time"
        case .request: "the request cannot be carried"
        case .clientStalled: "the client stalled"
        case .clientGone: "the client has gone"
        }
    }
}
