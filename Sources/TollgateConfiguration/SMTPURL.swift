import PercentCoding
import SMTPClient

/// `smtp://user:password@host:port?from=…&to=…,…`, taken apart.
struct SMTPURL: Sendable {
    /// What is wrong: a clause that follows "the value", and what there is to do.
    struct Problem: Error, Sendable, Hashable {
        let message: String
        let remedy: String

        init(_ message: String, _ remedy: String) { (self.message, self.remedy) = (message, remedy) }
    }

    private static let example =
        "Give one such as smtp://user:password@smtp.example.com:587?from=a@b.example&to=c@d.example"
    private static let encoding = "Write %40 for @, %3A for :, %3F for ?, %26 for &, %23 for #, %25 for %."

    private let isSMTPS: Bool

    /// Without brackets. Nil when it is wrong.
    private(set) var host: String?

    /// Nil when it is wrong.
    private(set) var port: Int?

    /// Who logs in. Nil when nobody does, or it is wrong.
    private(set) var login: SMTPServer.Login?

    /// As given, decoded. Nil when it is not.
    private(set) var from: String?
    private(set) var to: String?

    /// Whether STARTTLS is used. Nil when it is not said.
    private(set) var startTLS: Bool?

    /// All that is wrong with its parts.
    private(set) var problems: [Problem] = []

    /// - Throws: What makes it impossible to tell its parts.
    init(_ text: String) throws(Problem) {
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Problem("holds a blank or a character that no URL may hold", Self.encoding)
        }
        guard let separator = text.firstRange(of: "://"),
            ["smtp", "smtps"].contains(text[..<separator.lowerBound].lowercased())
        else { throw Problem("is no smtp:// or smtps:// URL", Self.example + ".") }
        isSMTPS = text[..<separator.lowerBound].lowercased() == "smtps"
        let rest = text[separator.upperBound...]
        guard !rest.contains("#") else { throw Problem("holds a '#'", Self.encoding) }
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        readPlace(parts[0])
        if parts.count == 2 { readQuery(parts[1]) }
    }

    /// How the connection is secured. On this machine it is not, unless that is said.
    func security(isLoopback: Bool) -> SMTPServer.Security {
        if isSMTPS { return .implicitTLS }
        return startTLS ?? !isLoopback ? .startTLS : .none
    }

    // MARK: Server and login

    private mutating func readPlace(_ text: Substring) {
        let place = text.hasSuffix("/") ? text.dropLast() : text
        let parts = place.split(separator: "@", omittingEmptySubsequences: false)
        if parts.count > 2 { problems.append(Problem("holds an '@' in user or password", Self.encoding)) }
        do throws(WebURL.Problem) {
            let url = try WebURL((isSMTPS ? "smtps://" : "smtp://") + (parts.last ?? ""))
            if url.rest.isEmpty {
                (host, port) = (url.hostWithoutBrackets, url.port ?? (isSMTPS ? 465 : 587))
            } else {
                problems.append(Problem("holds a '/'", Self.encoding + " A '/' is %2F."))
            }
        } catch {
            problems.append(Problem(error.rawValue, Self.example + "."))
        }
        if parts.count == 2 { readLogin(parts[0]) }
    }

    private mutating func readLogin(_ text: Substring) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let words = parts.compactMap { PercentEncoding.decoded($0) }
        guard words.count == 2, words.allSatisfy({ !$0.isEmpty && !Self.hasControls($0) }) else {
            problems.append(Problem("has a login that is not user:password", Self.encoding))
            return
        }
        login = SMTPServer.Login(user: words[0], password: words[1])
    }

    private static func hasControls(_ text: String) -> Bool { text.utf8.contains { $0 < 0x20 || $0 == 0x7F } }

    // MARK: Parameters

    private mutating func readQuery(_ text: Substring) {
        var seen: Set<String> = []
        for parameter in text.split(separator: "&") {
            let parts = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard ["from", "to", "starttls"].contains(name) else {
                problems.append(
                    Problem("has a parameter that is none of from, to and starttls", "Leave it away. " + Self.encoding))
                continue
            }
            guard seen.insert(name).inserted else {
                problems.append(Problem("has '\(name)' twice", "Give it once, with commas between addresses."))
                continue
            }
            // A plus is one: many addresses have it.
            read(name, parts.count == 2 ? PercentEncoding.decoded(parts[1]) ?? "%" : "")
        }
    }

    private mutating func read(_ name: String, _ value: String) {
        switch name {
        case "from": from = value
        case "to": to = value
        default:
            startTLS = value == "on"
            if !["on", "off"].contains(value) {
                problems.append(Problem("has a 'starttls' that is neither on nor off", "Give one of the two."))
            } else if isSMTPS {
                problems.append(
                    Problem("has 'starttls', and smtps:// has TLS from the start", "Leave it away, or write smtp://."))
            }
        }
    }
}
