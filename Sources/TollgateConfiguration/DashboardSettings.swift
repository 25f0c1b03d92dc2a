import ClerkAuth

/// The customers' own page, and how they sign in to it.
package struct DashboardSettings: Sendable, Hashable {
    /// Whether it is served.
    package let isOn: Bool

    /// ClerkJS, and for whom it signs people in. Nil when no publishable key is known: then the page says so.
    package let signIn: SignIn?

    /// What the page is told of Clerk.
    package struct SignIn: Sendable, Hashable {
        package let publishableKey: String
        package let scriptURL: String

        /// Where the script comes from, and what it calls.
        package let origins: [String]
    }

    init(_ reader: inout SettingReader, publishableKey: (key: PublishableKey, text: String)?) {
        isOn = reader.isOn(.dashboard)
        let script = reader.webURL(.clerkScriptURL)
        signIn = publishableKey.map { key, text in
            SignIn(
                publishableKey: text, scriptURL: script?.text ?? key.issuer + Self.scriptPath,
                origins: Set([key.issuer] + [script?.url.origin].compactMap(\.self)).sorted())
        }
    }

    /// The build without components: the page only asks it for tokens, and sends people to Clerk's own pages to sign
    /// in, so it needs no styles of Clerk's.
    private static let scriptPath = "/npm/@clerk/clerk-js@5/dist/clerk.headless.browser.js"
}

extension SettingReader {
    /// The value of a setting that is `on` or `off`.
    mutating func isOn(_ setting: Setting) -> Bool {
        guard let found = find(setting) else { return false }
        switch found.text.lowercased() {
        case "on", "true": return true
        case "off", "false": return false
        default:
            report(found, "is neither on nor off", remedy: "Give on or off.")
            return false
        }
    }
}
