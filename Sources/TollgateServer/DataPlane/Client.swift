import HTTPWire
import ReverseProxy

/// Who is at the other end of a connection: a client, or a proxy that tells of one.
struct Client: Sendable {
    let connection: ClientConnection
    private let network: ClientNetwork?

    init(address: String, isTrustedProxy: Bool) {
        connection = ClientConnection(address: address, isTrustedProxy: isTrustedProxy)
        network = ClientNetwork(address: address)
    }

    /// Whose share of an upstream's connections a request counts for. A trusted proxy that names nobody speaks for
    /// everybody behind it, so it is not limited.
    func share(of fields: FieldSection) -> ClientShare? {
        guard let sender = network(of: fields), !connection.isTrustedProxy || sender != network else { return nil }
        return ClientShare(sender.number)
    }

    /// Where the sender of a request is, as far as that can be known.
    func network(of fields: FieldSection) -> ClientNetwork? {
        guard connection.isTrustedProxy, let chain = fields.values(.forwardedFor).last,
            let last = chain.split(separator: ",").last
        else { return network }
        return ClientNetwork(address: String(last.drop { $0 == " " }))
    }
}
