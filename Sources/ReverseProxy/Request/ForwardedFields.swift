import NIOHTTP1

/// Who sent a request, as the connection shows it.
package struct ClientConnection: Sendable, Hashable {
    /// The peer's address without port, such as `192.0.2.7` or `2001:db8::1`.
    package var address: String

    /// `http` or `https`: how the client reached us.
    package var scheme: String

    /// Whether the peer is a proxy of ours, so that what it says about the client is kept and added to. What any other
    /// peer says is thrown away: it could say anything.
    package var isTrustedProxy: Bool

    package init(address: String, scheme: String = "http", isTrustedProxy: Bool = false) {
        self.address = address
        self.scheme = scheme
        self.isTrustedProxy = isTrustedProxy
    }
}

/// `X-Forwarded-For`, `-Proto`, `-Host` and `Forwarded` (RFC 7239) as the upstream gets them.
struct ForwardedFields {
    /// Adds the fields to `headers`, which has none of them.
    ///
    /// - Parameters:
    ///   - host: What the client asked for.
    ///   - received: All fields of the client's request.
    static func add(to headers: inout HTTPHeaders, client: ClientConnection, host: String, received: HTTPHeaders) {
        guard client.isTrustedProxy else {
            headers.add(name: "X-Forwarded-For", value: client.address)
            headers.add(name: "X-Forwarded-Proto", value: client.scheme)
            headers.add(name: "X-Forwarded-Host", value: host)
            headers.add(name: "Forwarded", value: element(client: client, host: host))
            return
        }
        let chain = received[canonicalForm: "X-Forwarded-For"].map(String.init) + [client.address]
        headers.add(name: "X-Forwarded-For", value: chain.joined(separator: ", "))
        headers.add(name: "X-Forwarded-Proto", value: received.first(name: "X-Forwarded-Proto") ?? client.scheme)
        headers.add(name: "X-Forwarded-Host", value: received.first(name: "X-Forwarded-Host") ?? host)
        let elements = received["Forwarded"] + [element(client: client, host: host)]
        headers.add(name: "Forwarded", value: elements.joined(separator: ", "))
    }

    /// One element of `Forwarded`, such as `for="[2001:db8::1]";host="api.example:8080";proto=http`. IPv6 addresses and
    /// hosts with a port must be quoted; the host has been checked to have no quote in it.
    private static func element(client: ClientConnection, host: String) -> String {
        let isIPv6 = client.address.utf8.contains(UInt8(ascii: ":"))
        let address = isIPv6 ? "\"[\(client.address)]\"" : client.address
        return "for=\(address);host=\"\(host)\";proto=\(client.scheme)"
    }
}
