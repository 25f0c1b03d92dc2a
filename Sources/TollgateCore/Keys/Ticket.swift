/// A caller's name for one request of the next seconds: `tkt_<user>_<secret>`.
///
/// A browser cannot send fields with a WebSocket or an EventSource, and a credential must not stand in a URL, which is
/// logged and shown. A ticket may: it is worth nothing once it was used. It holds its user in base32, so that a gateway
/// knows where in Redis to look, and 20 random bytes.
package struct Ticket: Sendable, Hashable {
    /// The parameter of a query that a ticket comes in.
    package static let parameter = QueryParameter(name: "tollgate_ticket")

    package static let lifetimeSeconds: Int64 = 30

    package static let secretByteCount = 20

    /// What every ticket begins with.
    package static let prefix = "tkt_"
    private static let secretLength = Base32.length(ofBytes: secretByteCount)
    private static let separator = UInt8(ascii: "_")

    /// The whole ticket. A secret until it was used.
    package let text: String

    /// Whose ticket it says it is. Not to be believed before it was found in the store.
    package let owner: UserID

    /// A new ticket.
    ///
    /// - Parameter secret: ``secretByteCount`` random bytes; nil comes back for any other number.
    package init?(owner: UserID, secret: [UInt8]) {
        guard secret.count == Self.secretByteCount else { return nil }
        let text = Array(Self.prefix.utf8) + Base32.encode(owner.value.utf8) + [Self.separator] + Base32.encode(secret)
        self.text = String(decoding: text, as: UTF8.self)
        self.owner = owner
    }

    /// Reads a ticket that was presented. Nil when it has another form.
    package init?(_ text: some StringProtocol) {
        let longest = Self.prefix.utf8.count + Base32.length(ofBytes: UserID.maximumLength) + 1 + Self.secretLength
        guard text.utf8.count <= longest, text.hasPrefix(Self.prefix) else { return nil }
        let bytes = Array(text.utf8.dropFirst(Self.prefix.utf8.count))
        let secret = bytes.count - Self.secretLength
        guard secret > 1, bytes[secret - 1] == Self.separator, Base32.decode(bytes[secret...]) != nil,
            let name = Base32.decode(bytes[..<(secret - 1)]), let owner = UserID(String(decoding: name, as: UTF8.self))
        else { return nil }
        self.text = String(text)
        self.owner = owner
    }
}

extension Ticket: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without the secret: descriptions end up in logs.
    package var description: String { "\(Self.prefix)… (\(owner))" }

    package var debugDescription: String { description }

    package var customMirror: Mirror { Mirror(self, children: ["owner": owner]) }
}
