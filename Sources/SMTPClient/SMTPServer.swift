import FoundationEssentials

/// A server that takes mail, and how it is talked to.
package struct SMTPServer: Sendable, Hashable {
    /// When the connection is secured.
    package enum Security: Sendable, Hashable {
        /// From the start (RFC 8314).
        case implicitTLS
        /// By STARTTLS (RFC 3207), before anything is said that matters. A server without it is not talked to.
        case startTLS
        /// Never.
        case none
    }

    /// Who logs in. Not printed.
    package struct Login: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
        package let user: String
        package let password: String

        package init(user: String, password: String) { (self.user, self.password) = (user, password) }

        package var description: String { "set" }
        package var customMirror: Mirror { Mirror(self, children: []) }
    }

    /// A name or an address, an IPv6 one without brackets. Its certificate has to name it.
    package let host: String
    package let port: Int
    package let security: Security
    package let login: Login?

    /// Whether it is on this machine: only then a login may be told without TLS.
    package let isLoopback: Bool

    package init(host: String, port: Int, security: Security, login: Login?, isLoopback: Bool) {
        self.host = host
        self.port = port
        self.security = security
        self.login = login
        self.isLoopback = isLoopback
    }

    /// As people write it: `smtp.example.com:587`.
    package var place: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Who logs in, as AUTH PLAIN has it (RFC 4616), in base64.
    func plainToken(of login: Login) -> String { Self.base64("\0\(login.user)\0\(login.password)") }

    static func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

    /// What a server says may have in it what it was told, whole or in part, and in whatever lines: then none of it is passed
    /// on.
    func withoutSecrets(_ text: String) -> String {
        guard let login, !login.password.isEmpty else { return text }
        let said = Array(text.utf8.filter { $0 > UInt8(ascii: " ") })
        let secrets = [plainToken(of: login), Self.base64(login.password), login.password]
        return secrets.contains { Self.isPart(of: Array($0.utf8), in: said) }
            ? "[words that have a part of the password in them]" : text
    }

    /// Letters in a row that are no coincidence.
    private static let tellingLength = 6

    private static func isPart(of secret: [UInt8], in said: [UInt8]) -> Bool {
        let length = min(tellingLength, secret.count)
        guard length > 0, said.count >= length else { return false }
        let parts = Set((0...secret.count - length).map { ArraySlice(secret[$0..<$0 + length]) })
        return (0...said.count - length).contains { parts.contains(said[$0..<$0 + length]) }
    }
}
