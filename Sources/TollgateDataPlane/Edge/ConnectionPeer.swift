import HTTPWire
import ReverseProxy
import TollgateCore

/// The peer of a connection: a client, or a proxy that tells of one.
///
/// A class, so that all requests of the connection share it instead of copying its parts.
final class ConnectionPeer: Sendable {
    let connection: ClientConnection
    private let network: ClientNetwork
    private let trustedProxies: NetworkList

    /// - Parameter address: Of the peer. Nil when it has none.
    init(address: String?, trustedProxies: NetworkList) {
        let known = address.flatMap { IPAddress(node: $0) }
        // A socket for both families shows an IPv4 address as an IPv6 one.
        let text = known.flatMap { $0.isIPv4 ? $0.description : nil } ?? address
        connection = ClientConnection(
            address: text ?? "unknown", isTrustedProxy: known.map(trustedProxies.contains) ?? false)
        network = known.map { ClientNetwork($0) } ?? .unknown
        self.trustedProxies = trustedProxies
    }

    /// Whose share of an upstream's connections a request counts for. A trusted proxy that names no client speaks for
    /// all clients behind it, so it is not limited.
    func share(of fields: FieldSection) -> ClientShare? {
        let sender = network(of: fields)
        guard !connection.isTrustedProxy || sender != network else { return nil }
        return ClientShare(sender.number)
    }

    /// Where the sender of a request is, as far as that can be known: the nearest address that is none of a proxy of
    /// ours, or else the farthest of them. What cannot be read is counted against the peer, which let it pass.
    func network(of fields: FieldSection) -> ClientNetwork {
        guard connection.isTrustedProxy else { return network }
        var farthest = network
        for node in ForwardedChain(fields).nodes.reversed() {
            guard let address = IPAddress(node: node) else { return network }
            farthest = ClientNetwork(address)
            if !trustedProxies.contains(address) { break }
        }
        return farthest
    }
}
