/// An absolute URL, taken apart as far as the configuration has to look at it.
///
/// Stricter than the standard where a looser reading hides a mistake: no login, no blanks, no fragment, a host of
/// letters, digits, `.`, `-` and `_` or an IPv6 address in brackets.
struct WebURL: Sendable, Hashable {
    /// Lower case, without `://`.
    let scheme: String

    /// Lower case; an IPv6 address keeps its brackets.
    let host: String

    /// Nil when none is given or it is the scheme's own.
    let port: Int?

    /// Path and query, as given.
    let rest: String

    /// What is wrong with a URL: a clause that follows "the value".
    enum Problem: String, Error, Sendable {
        case noScheme = "is not a URL"
        case badCharacter = "holds a blank or a character that no URL may hold"
        case login = "holds a login"
        case fragment = "holds a '#'"
        case badHost = "has no valid host"
        case badPort = "has a port that is not a number from 1 to 65535"
    }

    init(_ text: String) throws(Problem) {
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { throw .badCharacter }
        guard let separator = text.firstRange(of: "://") else { throw .noScheme }
        scheme = text[..<separator.lowerBound].lowercased()
        guard Self.isScheme(scheme) else { throw .noScheme }

        let afterScheme = text[separator.upperBound...]
        guard !afterScheme.contains("#") else { throw .fragment }
        let authorityEnd = afterScheme.firstIndex { $0 == "/" || $0 == "?" } ?? afterScheme.endIndex
        let authority = afterScheme[..<authorityEnd]
        guard !authority.contains("@") else { throw .login }
        rest = String(afterScheme[authorityEnd...])

        let hostEnd = authority.hasPrefix("[") ? authority.firstIndex(of: "]").map(authority.index(after:)) : nil
        let colon = authority[(hostEnd ?? authority.startIndex)...].firstIndex(of: ":")
        host = authority[..<(colon ?? authority.endIndex)].lowercased()
        guard Self.isHost(host) else { throw .badHost }
        guard let colon else {
            port = nil
            return
        }
        let digits = authority[authority.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
            (1...65_535).contains(number)
        else { throw .badPort }
        port = number == Self.defaultPorts[scheme] ? nil : number
    }

    private static let defaultPorts = ["http": 80, "https": 443]

    /// As it is looked up, and an address as it is connected to.
    var hostWithoutBrackets: String { host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host }

    /// Scheme, host and port, as a browser writes them into `Origin`.
    var origin: String { "\(scheme)://\(host)" + (port.map { ":\($0)" } ?? "") }

    var isHTTP: Bool { Self.defaultPorts.keys.contains(scheme) }

    /// Nothing follows the origin, but for a slash that is tolerated.
    var isOrigin: Bool { rest.isEmpty || rest == "/" }

    /// The URL in its normal form, without a slash at its end, so that paths can be appended to it.
    var base: String { origin + (rest.hasSuffix("/") ? String(rest.dropLast()) : rest) }

    private static func isScheme(_ scheme: String) -> Bool {
        scheme.first?.isLetter == true && scheme.allSatisfy { $0.isLetter || $0.isNumber || "+-.".contains($0) }
    }

    private static func isHost(_ host: String) -> Bool {
        if host.hasPrefix("[") {
            return host.hasSuffix("]") && host.contains(":")
                && host.dropFirst().dropLast().allSatisfy { $0.isHexDigit || ":.".contains($0) }
        }
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        return labels.allSatisfy { label in
            !label.isEmpty && label.allSatisfy { $0.isLetter || $0.isNumber || "-_".contains($0) }
        }
    }
}
