import HTTPWire

/// The peer that sent a request, as the connection shows it.
package struct ClientConnection: Sendable, Hashable {
    /// The peer's address without port, such as `192.0.2.7` or `2001:db8::1`.
    package var address: String

    /// `http` or `https`: how the client reached us.
    var scheme: String

    /// Whether the peer is a proxy of ours, so that what it says about the client is kept and added to. What any other
    /// peer says is thrown away: it could say anything.
    package var isTrustedProxy: Bool

    package init(address: String, scheme: String = "http", isTrustedProxy: Bool = false) {
        self.address = address
        self.scheme = scheme
        self.isTrustedProxy = isTrustedProxy
    }
}

/// `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix` and `Forwarded` (RFC 7239) as the upstream gets them.
enum ForwardedFields {
    /// - Parameters:
    ///   - host: What the client asked for.
    ///   - received: All fields of the client's request.
    ///   - strippedPrefix: What was left out of the front of the path. Nil when nothing was.
    static func write(
        to writer: inout FieldWriter, client: ClientConnection, host: String, received: FieldSection,
        strippedPrefix: String?
    ) {
        guard client.isTrustedProxy else {
            writer.field("X-Forwarded-For", client.address)
            writer.field("X-Forwarded-Proto", client.scheme)
            writer.field("X-Forwarded-Host", host)
            if let strippedPrefix { writer.field("X-Forwarded-Prefix", strippedPrefix) }
            // Piece by piece: this is the path of most requests.
            return writer.field("Forwarded", elementPieces(client: client, host: host))
        }
        let chain = ForwardedChain(received)
        let ours = elementPieces(client: client, host: host).joined()
        writer.field("X-Forwarded-For", (chain.nodes + [client.address]).joined(separator: ", "))
        writer.field("X-Forwarded-Proto", received.first(.forwardedProto) ?? client.scheme)
        writer.field("X-Forwarded-Host", received.first(.forwardedHost) ?? host)
        if let strippedPrefix { writer.field("X-Forwarded-Prefix", prefix(received) + strippedPrefix) }
        writer.field("Forwarded", (chain.elements + [ours]).joined(separator: ", "))
    }

    /// What the proxies before us have left out. One path: those who read it take one.
    static func prefix(_ received: FieldSection) -> String {
        received.values(.forwardedPrefix).flatMap { $0.split(separator: ",") }
            .map { part in
                let path = part.drop { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" }
                return path.hasSuffix("/") ? String(path.dropLast()) : String(path)
            }
            .joined()
    }

    /// One element of `Forwarded`, such as `for="[2001:db8::1]";host="api.example:8080";proto=http`. IPv6 addresses and
    /// hosts with a port must be quoted; the host has been checked to have no quote in it.
    private static func elementPieces(client: ClientConnection, host: String) -> [String] {
        let isIPv6 = client.address.utf8.contains(UInt8(ascii: ":"))
        return [
            isIPv6 ? "for=\"[" : "for=", client.address, isIPv6 ? "]\";host=\"" : ";host=\"", host, "\";proto=",
            client.scheme,
        ]
    }
}
