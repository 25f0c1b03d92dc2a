package import ClerkAuth

/// Whose tokens are accepted, and how to reach Clerk's Backend API.
package struct ClerkSettings: Sendable, CustomReflectable {
    /// What `ClerkAuthenticator` is told.
    package let configuration: ClerkConfiguration

    /// Without a slash at its end.
    package let apiURL: String

    /// For the Backend API. Nil when it is not needed.
    package let secretKey: Secret?

    /// The instance's public name, and its text. Nil when none is given.
    package let publishableKey: (key: PublishableKey, text: String)?

    init(_ reader: inout SettingReader) {
        apiURL = reader.apiURL(.clerkAPIURL)
        secretKey = reader.clerkSecretKey()
        let publishableKey = reader.publishableKey()
        self.publishableKey = publishableKey.flatMap { key in reader.text(.clerkPublishableKey).map { (key, $0) } }
        let keySource = ClerkConfiguration.KeySource.firstConfigured(
            pem: reader.publicKey(), jwksURL: reader.webURL(.clerkJWKSURL)?.url.base, publishableKey: publishableKey,
            apiURL: apiURL, secretKey: secretKey?.revealed)
        reader.checkMode(of: publishableKey, against: secretKey)
        reader.checkKeySource()
        configuration = ClerkConfiguration(
            keySource: keySource ?? .pem(""),
            issuer: reader.webURL(.clerkIssuer)?.text ?? publishableKey?.issuer,
            authorizedParties: reader.origins(.clerkAuthorizedParties),
            audiences: reader.list(.clerkAudiences))
    }

    /// Without the secret key, which `dump` would print out of the key source.
    package var customMirror: Mirror { Mirror(self, children: ["apiURL": apiURL]) }
}

extension SettingReader {
    fileprivate mutating func clerkSecretKey() -> Secret? {
        guard let found = find(.clerkSecretKey) else { return nil }
        if !["sk_live_", "sk_test_"].contains(where: { found.text.hasPrefix($0) }) {
            report(
                found, "does not begin with sk_live_ or sk_test_",
                remedy: "Copy the secret key from the API keys page of Clerk's dashboard.")
        }
        return Secret(found.text)
    }

    fileprivate mutating func publishableKey() -> PublishableKey? {
        guard let found = find(.clerkPublishableKey) else { return nil }
        do throws(ClerkConfigurationProblem) {
            return try PublishableKey(found.text)
        } catch {
            report(
                found, "is not a publishable key",
                remedy: "Copy the one with pk_live_ or pk_test_ from the API keys page of Clerk's dashboard.")
            return nil
        }
    }

    /// Only the marks are looked at: ClerkAuth reads the key itself, in all the forms that people paste.
    fileprivate mutating func publicKey() -> String? {
        guard let found = find(.clerkJWTKey) else { return nil }
        if !found.text.hasPrefix("-----BEGIN PUBLIC KEY-----") {
            report(
                found, "is not a public key in PEM",
                remedy: "Copy the JWKS public key from Clerk's dashboard, from -----BEGIN PUBLIC KEY----- on.")
        }
        return found.text
    }

    /// Keys of a production and of a development instance together would verify the tokens of one and write to the
    /// users of the other.
    fileprivate mutating func checkMode(of publishableKey: PublishableKey?, against secretKey: Secret?) {
        guard let publishableKey, let secretKey, let found = find(.clerkPublishableKey) else { return }
        if publishableKey.isLive != secretKey.revealed.hasPrefix("sk_live_") {
            report(
                found, "and CLERK_SECRET_KEY are not of the same instance: one is live, the other test",
                remedy: "Take both from one page of Clerk's dashboard.")
        }
    }

    fileprivate mutating func checkKeySource() {
        let sources: [Setting] = [.clerkJWTKey, .clerkJWKSURL, .clerkPublishableKey, .clerkSecretKey]
        if sources.allSatisfy({ find($0) == nil }) {
            reportMissing(
                .clerkPublishableKey, "is not set, nor any other way to verify tokens",
                remedy: "Set one of \(sources.map(\.name).joined(separator: ", ")).")
        }
    }
}
