/// Leads what an upstream says about places of its own (`Location`, `Content-Location`) back to where a client finds
/// them: an upstream knows neither the name by which a client reaches it nor what was left out of the path.
struct LocationMapping: Sendable, Hashable {
    /// What was left out of the front of the path, without a slash at its end. Empty when nothing was.
    let prefix: String

    /// The same with what proxies before us have left out: an upstream may have put it there already.
    let toldPrefix: String

    /// How the client calls the upstream.
    let clientAuthorities: [String]

    /// How the upstream calls itself.
    let upstreamAuthorities: [String]

    /// What the client is to be told in place of `location`. Nil: just that.
    func map(_ location: String) -> String? {
        // Bytes that are no text pass as they came.
        guard location.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        let result: String
        if location.hasPrefix("/"), !location.hasPrefix("//") {
            result = prefixed(location[...])
        } else {
            guard let (start, authority, rest) = Self.parts(of: location) else { return nil }
            if clientAuthorities.contains(authority) {
                result = start + prefixed(rest)
            } else if upstreamAuthorities.contains(authority) {
                // By path alone: how the client came to us, an upstream and we need not know.
                result = prefixed(rest)
            } else {
                return nil
            }
        }
        return result == location || (Self.isReadAsHost(result) && !location.hasPrefix("//")) ? nil : result
    }

    /// A path that leads somewhere else: browsers read a backslash as a slash and pass over tabs and line ends (WHATWG
    /// URL, section 4.4).
    private static func isReadAsHost(_ path: String) -> Bool {
        guard path.utf8.first == UInt8(ascii: "/"), let second = path.utf8.dropFirst().first else { return false }
        return second == UInt8(ascii: "/") || second == UInt8(ascii: "\\") || second <= 0x20
    }

    private func prefixed(_ rest: Substring) -> String {
        let path = rest.utf8.first == UInt8(ascii: "/") ? String(rest) : "/" + rest
        let isThere = [prefix, toldPrefix].contains { Self.begins(path, with: $0) }
        return prefix.isEmpty || isThere ? path : prefix + path
    }

    /// In whole segments.
    private static func begins(_ path: String, with prefix: String) -> Bool {
        guard !prefix.isEmpty, path.utf8.starts(with: prefix.utf8) else { return false }
        let next = path.utf8.dropFirst(prefix.utf8.count).first
        return next == nil || [UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: "#")].contains(next)
    }

    /// Everything up to the end of the authority; the authority in lower case, without a port that goes without saying;
    /// and what follows. Nil for what has none.
    private static func parts(of location: String) -> (start: String, authority: String, rest: Substring)? {
        let lowercase = location.prefix(8).lowercased()
        let (scheme, port) =
            lowercase == "https://" ? (8, ":443") : lowercase.hasPrefix("http://") ? (7, ":80") : (2, "")
        guard scheme > 2 || lowercase.hasPrefix("//") else { return nil }
        let behind = location.dropFirst(scheme)
        let end = behind.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? behind.endIndex
        var authority = behind[..<end].lowercased()
        if !port.isEmpty, authority.hasSuffix(port) { authority.removeLast(port.count) }
        return authority.isEmpty ? nil : (String(location[..<end]), authority, behind[end...])
    }
}
