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

    /// Where the sender of a request is, as far as that can be known.
    func network(of fields: FieldSection) -> ClientNetwork? {
        guard connection.isTrustedProxy, let chain = fields.values(.forwardedFor).last,
            let last = chain.split(separator: ",").last
        else { return network }
        return ClientNetwork(address: String(last.drop { $0 == " " }))
    }
}
