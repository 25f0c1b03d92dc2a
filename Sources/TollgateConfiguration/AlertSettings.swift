import FoundationEssentials
import TollgateCore

/// Where the operator's alerts are sent.
package struct AlertSettings: Sendable, Hashable {
    /// Where to, and what it may hold of a secret.
    package let url: Secret

    /// The host in ``url``, as the URL has it, without brackets.
    package let host: String
    package let port: Int

    /// What they are signed with.
    package let secret: Secret

    /// Whether the receiver may be on this machine or in a private network.
    package let allowsPrivateNetworks: Bool

    /// Bytes of a signing key.
    static let keyLengths = 24...64

    /// Nil when none are sent.
    init?(_ reader: inout SettingReader) {
        let (found, secret) = (reader.find(.alertURL), reader.find(.alertSecret))
        let allowsPrivateNetworks = reader.isOn(.alertAllowPrivate)
        if let secret, Self.key(in: secret.text) == nil {
            reader.report(
                secret, "is no signing secret",
                remedy: "Make one: echo whsec_$(openssl rand -base64 32)")
        }
        if let found, secret == nil {
            reader.report(
                found, "is set and TOLLGATE_ALERT_SECRET is not",
                remedy: "Set it as well, so that the receiver can tell our messages from others': "
                    + "echo whsec_$(openssl rand -base64 32)")
        }
        if let secret, found == nil {
            reader.report(
                secret, "is set and TOLLGATE_ALERT_URL is not", remedy: "Set it as well: it is where alerts are sent.")
        }
        guard let found, let secret, let (url, _) = reader.webURL(.alertURL) else { return nil }
        self.url = Secret(url.origin + url.rest)
        host = url.host.hasPrefix("[") ? String(url.host.dropFirst().dropLast()) : url.host
        port = url.port ?? (url.scheme == "https" ? 443 : 80)
        self.secret = Secret(secret.text)
        self.allowsPrivateNetworks = allowsPrivateNetworks
        if !allowsPrivateNetworks, host == "localhost" || NetworkList.nonPublic.contains(host) {
            reader.report(
                found, "leads to this machine or a private network",
                remedy: "Set TOLLGATE_ALERT_ALLOW_PRIVATE=true if that is meant.")
        }
    }

    /// The bytes that ``secret`` stands for.
    package var signingKey: [UInt8] { Self.key(in: secret.revealed) ?? [] }

    /// `whsec_` and base64, as Standard Webhooks has it.
    private static func key(in text: String) -> [UInt8]? {
        let prefix = "whsec_"
        guard text.hasPrefix(prefix), let key = Data(base64Encoded: String(text.dropFirst(prefix.count))),
            keyLengths.contains(key.count)
        else { return nil }
        return Array(key)
    }
}
