import NIOCore
import NameResolution
import OutboundCalls
import TollgateCore

/// Whom alerts are sent to on one channel.
protocol AlertReceiver: Sendable {
    var pace: AlertPace { get }

    /// Runs `body` with connections to the receiver.
    ///
    /// - Parameter turn: Which of the receiver's addresses is taken: another one with each.
    func connected(turn: Int, _ body: (any AlertConnections) async -> Void) async
}

/// Connections to a receiver, for some messages.
protocol AlertConnections: Sendable {
    /// Sends a message once.
    ///
    /// - Parameter time: Now.
    func send(_ message: AlertMessage, at time: UnixTime) async -> AlertDelivery.Result
}

/// What is sent.
struct AlertMessage: Sendable, Hashable {
    /// What receivers know a repeat by.
    let id: String

    /// In JSON: `type`, `timestamp` and `data`.
    let body: String
}

/// How many alerts are sent. All that are claimed together are done before the claim ends, whatever the receiver does.
struct AlertPace: Sendable, Hashable {
    let claimedAtATime: Int
    let sentAtATime: Int
}

/// Where a receiver is.
struct AlertDestination: Sendable {
    /// As it is told in errors.
    let place: String
    let host: String
    let port: Int
    let allowsPrivateNetworks: Bool
    let service: CalledService
    let resolver: any NameResolver
    let eventLoopGroup: any EventLoopGroup

    /// One of its addresses, if it may be called. What was looked at is what has to be connected to, whatever the name
    /// server says next.
    func address(turn: Int) async throws(CallError) -> SocketAddress {
        let found: [SocketAddress]
        do {
            found = try await withTimeLimit(.seconds(5)) {
                try await resolver.addresses(of: host, port: port, on: eventLoopGroup.any()).get()
            }
        } catch {
            throw CallError(service, .unreachable, "\(place) could not be found: \(error).")
        }
        let allowed = found.filter { allowsPrivateNetworks || Self.isPublic($0) }
        guard !allowed.isEmpty else {
            let addresses = found.prefix(4).compactMap(\.ipAddress).joined(separator: ", ")
            throw CallError(
                service, .unreachable,
                """
                \(place) has no address but \(addresses), of this machine or a private network. \
                TOLLGATE_ALERT_ALLOW_PRIVATE=true allows that.
                """)
        }
        return allowed[turn % allowed.count]
    }

    private static func isPublic(_ address: SocketAddress) -> Bool {
        address.ipAddress.flatMap { IPAddress($0) }.map { !NetworkList.nonPublic.contains($0) } ?? false
    }
}
