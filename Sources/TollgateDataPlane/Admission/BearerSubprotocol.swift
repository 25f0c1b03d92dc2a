import HTTPWire

/// A credential among the subprotocols that a client offers for a WebSocket (RFC 6455, section 11.3.4): the one place
/// where a page can put one. `new WebSocket(url, ["tollgate.bearer", "tollgate.bearer." + token])`.
///
/// Both members are the gateway's and never get to an upstream. A browser that offers subprotocols fails unless one of
/// them is chosen, and the one with the credential must not be said again: so the bare name is offered beside it, and
/// chosen when the upstream has chosen none of the others.
struct BearerSubprotocol {
    /// What is chosen.
    static let name = "tollgate.bearer"

    private static let prefix = name + "."

    /// Session tokens and keys; one, unless the client is mistaken.
    private(set) var credentials: [String] = []

    /// What is left for the upstream.
    private(set) var others: [String] = []

    private(set) var offersName = false

    /// Nil when none of the offered members is the gateway's.
    init?(_ fields: FieldSection) {
        guard fields.contains(.webSocketProtocol) else { return nil }
        var isOurs = false
        for value in fields.values(.webSocketProtocol) {
            for member in value.split(separator: ",") {
                let member = member.trimmingBlanks
                if member.isEmpty { continue }
                if member == Self.name {
                    offersName = true
                } else if member.hasPrefix(Self.prefix) {
                    credentials.append(String(member.dropFirst(Self.prefix.count)))
                } else {
                    others.append(String(member))
                    continue
                }
                isOurs = true
            }
        }
        guard isOurs else { return nil }
    }
}

extension Substring {
    fileprivate var trimmingBlanks: Substring {
        var trimmed = drop { $0 == " " || $0 == "\t" }
        while trimmed.last == " " || trimmed.last == "\t" { trimmed.removeLast() }
        return trimmed
    }
}
