/// What a proxy does with a header field depends on its name alone. One look at each name, without allocation.
enum FieldKind: Hashable {
    /// Passed on as it is.
    case endToEnd

    /// `Connection`: names further fields of this hop.
    case connection

    /// Meant for the next hop only (RFC 9110, section 7.6.1).
    case hopByHop
    case te
    case upgrade
    case host
    case contentLength
    case transferEncoding
    case expect

    /// `X-Forwarded-…`, `Forwarded`, `X-Real-IP`: what proxies say about the client.
    case forwarded

    /// `X-Tollgate-…`: what only this gateway may say.
    case identity

    /// The kind of the field called `name`, in whatever case.
    ///
    /// An underscore counts as a hyphen in the names that carry trust: CGI and WSGI applications cannot tell
    /// `X_Tollgate_User` from `X-Tollgate-User`, so a client could otherwise forge it.
    init(_ name: String) {
        let bytes = name.utf8
        self =
            switch bytes.count {
            case 2 where bytes.folds(to: "te"): .te
            case 4 where bytes.folds(to: "host"): .host
            // Some CGI programs take a field `Proxy` for the variable HTTP_PROXY.
            case 5 where bytes.folds(to: "proxy"): .hopByHop
            case 6 where bytes.folds(to: "expect"): .expect
            case 7 where bytes.folds(to: "upgrade"): .upgrade
            case 9 where bytes.folds(to: "forwarded") || bytes.folds(to: "x-real-ip"): .forwarded
            case 10 where bytes.folds(to: "connection"): .connection
            case 10 where bytes.folds(to: "keep-alive"): .hopByHop
            case 14 where bytes.folds(to: "content-length"): .contentLength
            case 16 where bytes.folds(to: "proxy-connection"): .hopByHop
            case 17 where bytes.folds(to: "transfer-encoding"): .transferEncoding
            case 18 where bytes.folds(to: "proxy-authenticate"): .hopByHop
            case 19 where bytes.folds(to: "proxy-authorization"): .hopByHop
            case 12... where bytes.beginsFolded("x-forwarded-"): .forwarded
            case 12... where bytes.beginsFolded("x-tollgate-"): .identity
            default: .endToEnd
            }
    }
}

extension String.UTF8View {
    /// Whether these bytes are `lowercase`, not minding case, an underscore counting as a hyphen.
    func folds(to lowercase: String) -> Bool { count == lowercase.utf8.count && beginsFolded(lowercase) }

    /// As ``folds(to:)``, for the beginning of these bytes.
    func beginsFolded(_ lowercase: String) -> Bool {
        var bytes = makeIterator()
        for expected in lowercase.utf8 {
            guard let byte = bytes.next(), byte.foldedNameByte == expected else { return false }
        }
        return true
    }
}

extension UInt8 {
    /// The lower-case letter of a letter, a hyphen for an underscore.
    fileprivate var foldedNameByte: UInt8 {
        switch self {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): self | 0x20
        case UInt8(ascii: "_"): UInt8(ascii: "-")
        default: self
        }
    }
}

/// The members of a comma-separated list (RFC 9110, section 5.6.1), trimmed and in lower case, empty ones left out.
func listMembers(_ value: String) -> [String] {
    value.split(separator: ",").compactMap { member in
        let trimmed = member.drop { $0 == " " || $0 == "\t" }
        guard let last = trimmed.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return nil }
        return trimmed[...last].lowercased()
    }
}
