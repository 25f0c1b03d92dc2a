package import HTTPWire

/// Through whose hands a request came before the peer's, the client first, as trusted proxies tell it.
///
/// `X-Forwarded-For` goes before `Forwarded`: a proxy that writes the one alone passes on what any client says in the
/// other, and nearly all write the former. So both name the same client on the way out, whatever came in.
package struct ForwardedChain: Sendable, Hashable {
    /// As they were told: mostly addresses, perhaps with brackets and a port, or else `unknown` and the like.
    package let nodes: [String]

    /// The same as elements of `Forwarded`, which may tell more.
    let elements: [String]

    package init(_ fields: FieldSection) {
        let told = fields.values(.forwardedElements).flatMap { Self.split($0[...], at: ",") }
        let toldNodes = told.map(Self.node)
        let listed = fields.values(.forwardedFor).flatMap { $0.split(separator: ",") }.map(Self.trimmed)
            .filter { !$0.isEmpty }
        if listed.isEmpty {
            nodes = toldNodes
            elements = told
        } else {
            nodes = listed
            let isSameClient = listed.first.map(Self.address) == toldNodes.first.map(Self.address)
            elements = isSameClient ? told : listed.map { "for=" + Self.quoted($0) }
        }
    }

    /// The client that an element of `Forwarded` names (RFC 7239, section 5.2). `unknown` when it does not say.
    private static func node(of element: String) -> String {
        for pair in split(element[...], at: ";") {
            guard let equals = pair.firstIndex(of: "="), trimmed(pair[..<equals]).lowercased() == "for" else {
                continue
            }
            let value = trimmed(pair[pair.index(after: equals)...])
            guard value.first == "\"", value.count > 2, value.last == "\"" else {
                return value.isEmpty ? "unknown" : value
            }
            return String(value.dropFirst().dropLast())
        }
        return "unknown"
    }

    /// A node without brackets and port, to be compared.
    private static func address(_ node: String) -> String {
        if node.hasPrefix("[") { return node.dropFirst().prefix { $0 != "]" }.lowercased() }
        let colons = node.utf8.lazy.filter { $0 == UInt8(ascii: ":") }.count
        return (colons == 1 ? node.prefix { $0 != ":" } : node[...]).lowercased()
    }

    /// A node as a value of `Forwarded`. What cannot be one is not known.
    private static func quoted(_ node: String) -> String {
        guard node.utf8.allSatisfy(\.mayStandInNode) else { return "unknown" }
        let colons = node.utf8.lazy.filter { $0 == UInt8(ascii: ":") }.count
        if colons == 0 { return node }
        return node.hasPrefix("[") || colons == 1 ? "\"\(node)\"" : "\"[\(node)]\""
    }

    /// The parts of a list that are not empty, trimmed. A separator in quotes does not separate.
    private static func split(_ text: Substring, at separator: Character) -> [String] {
        var parts: [String] = []
        var (start, isQuoted, isEscaped) = (text.startIndex, false, false)
        func take(upTo end: String.Index) {
            let part = trimmed(text[start..<end])
            if !part.isEmpty { parts.append(part) }
        }
        for index in text.indices {
            let character = text[index]
            if isEscaped {
                isEscaped = false
            } else if isQuoted, character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if character == separator, !isQuoted {
                take(upTo: index)
                start = text.index(after: index)
            }
        }
        take(upTo: text.endIndex)
        return parts
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        let start = text.drop { $0 == " " || $0 == "\t" }
        guard let last = start.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return "" }
        return String(start[...last])
    }
}

extension UInt8 {
    /// Of addresses, ports, zones and names that stand for them.
    fileprivate var mayStandInNode: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "_"),
            UInt8(ascii: "-"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "%"):
            true
        default: false
        }
    }
}
