import FoundationEssentials
package import SMTPClient
package import TollgateCore

/// Where the operator's alerts are sent: to a webhook, to mailboxes, or both.
package struct AlertSettings: Sendable, Hashable {
    /// A receiver of signed webhooks.
    package struct Webhook: Sendable, Hashable {
        /// Where to, and what it may hold of a secret.
        package let url: Secret

        /// The host in ``url``, as the URL has it, without brackets.
        package let host: String
        package let port: Int

        /// What they are signed with.
        package let secret: Secret

        /// Bytes of a signing key.
        fileprivate static let keyLengths = 24...64

        /// The bytes that ``secret`` stands for.
        package var signingKey: [UInt8] { Self.key(in: secret.revealed) ?? [] }

        /// `whsec_` and base64, as Standard Webhooks has it.
        fileprivate static func key(in text: String) -> [UInt8]? {
            let prefix = "whsec_"
            guard text.hasPrefix(prefix), let key = Data(base64Encoded: String(text.dropFirst(prefix.count))),
                keyLengths.contains(key.count)
            else { return nil }
            return Array(key)
        }
    }

    /// Who gets mails, and through which server.
    package struct Mail: Sendable, Hashable {
        package let server: SMTPServer
        package let from: MailAddress
        package let to: [MailAddress]
    }

    package let webhook: Webhook?
    package let mail: Mail?

    /// Whether the receivers may be on this machine or in a private network.
    package let allowsPrivateNetworks: Bool

    /// How alerts are sent. At least one.
    package var channels: [Alert.Channel] {
        (webhook == nil ? [] : [.webhook]) + (mail == nil ? [] : [.email])
    }

    /// Nil when none are sent.
    init?(_ reader: inout SettingReader) {
        let allowsPrivateNetworks = reader.isOn(.alertAllowPrivate)
        self.allowsPrivateNetworks = allowsPrivateNetworks
        webhook = Webhook(&reader, allowsPrivateNetworks: allowsPrivateNetworks)
        mail = Mail(&reader, allowsPrivateNetworks: allowsPrivateNetworks)
        if webhook == nil, mail == nil { return nil }
    }
}

extension AlertSettings.Webhook {
    fileprivate init?(_ reader: inout SettingReader, allowsPrivateNetworks: Bool) {
        let (found, secret) = (reader.find(.alertURL), reader.find(.alertSecret))
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
        host = url.hostWithoutBrackets
        port = url.port ?? (url.scheme == "https" ? 443 : 80)
        self.secret = Secret(secret.text)
        if !allowsPrivateNetworks { reader.refuse(privateHost: host, found) }
    }
}

extension AlertSettings.Mail {
    /// Mailboxes that are sent to, at most.
    private static let maximumRecipients = 20

    /// Every problem is reported, none with a part of the value: all of it may be a password that was not encoded.
    fileprivate init?(_ reader: inout SettingReader, allowsPrivateNetworks: Bool) {
        guard let found = reader.find(.alertSMTPURL) else { return nil }
        let url: SMTPURL
        do throws(SMTPURL.Problem) {
            url = try SMTPURL(found.text)
        } catch {
            reader.report(found, error.message, remedy: error.remedy)
            return nil
        }
        for problem in url.problems { reader.report(found, problem.message, remedy: problem.remedy) }

        let from = url.from.flatMap { MailAddress($0) }
        if url.from == nil {
            reader.report(found, "names no sender", remedy: "Add from=alerts@example.com behind a '?'.")
        } else if from == nil {
            reader.report(
                found, "has a 'from' that is no mail address", remedy: "Give one such as alerts@example.com.")
        }
        let texts = url.to?.commaSeparated ?? []
        let to = texts.compactMap { MailAddress($0) }
        if texts.isEmpty {
            reader.report(found, "names nobody to send to", remedy: "Add &to=ops@example.com.")
        } else if to.count < texts.count {
            reader.report(
                found, "has a 'to' with something in it that is no mail address",
                remedy: "Give addresses such as ops@example.com, with commas between them.")
        } else if to.count > Self.maximumRecipients {
            reader.report(
                found, "names \(to.count) to send to",
                remedy: "At most \(Self.maximumRecipients) are possible: let one be a list.")
        }

        guard let host = url.host, let port = url.port else { return nil }
        let isLoopback = host == "localhost" || NetworkList.loopback.contains(host)
        let security = url.security(isLoopback: isLoopback)
        if security == .none, !isLoopback {
            if url.login != nil {
                reader.report(
                    found, "would tell the password without TLS",
                    remedy: "Leave starttls=off away, or the login.")
            } else {
                reader.warn(
                    found, "has starttls=off: an attacker on the way can read the mails and change them",
                    remedy: "Leave it away, if the server offers STARTTLS.")
            }
        }
        if !allowsPrivateNetworks { reader.refuse(privateHost: host, found) }
        guard let from else { return nil }
        self.from = from
        self.to = to
        server = SMTPServer(
            host: host, port: port, security: security, login: url.login, isLoopback: isLoopback)
    }
}

extension SettingReader {
    /// What a name leads to is looked at whenever it is looked up.
    fileprivate mutating func refuse(privateHost host: String, _ found: Found) {
        guard host == "localhost" || NetworkList.nonPublic.contains(host) else { return }
        report(
            found, "leads to this machine or a private network",
            remedy: "Set TOLLGATE_ALERT_ALLOW_PRIVATE=true if that is meant.")
    }
}
