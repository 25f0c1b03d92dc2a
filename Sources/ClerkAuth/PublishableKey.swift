/// Clerk's public name of an instance: `pk_test_` or `pk_live_` and, in base64, the host of its frontend API and `$`.
package struct PublishableKey: Sendable, Hashable {
    /// True for a production instance, false for a development one.
    package let isLive: Bool

    /// The host of the instance's frontend API, such as `clerk.example.com`.
    package let host: String

    /// - Throws: ``ClerkConfigurationProblem`` when `text` is not a publishable key.
    package init(_ text: String) throws(ClerkConfigurationProblem) {
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "pk", parts[1] == "test" || parts[1] == "live" else {
            throw Self.problem
        }
        // Clerk writes the base64 with and without its padding.
        let encoded = parts[2].prefix { $0 != "=" }
        guard parts[2].dropFirst(encoded.count).allSatisfy({ $0 == "=" }),
            let decoded = Base64.decode(encoded.utf8, alphabet: .standard),
            decoded.last == UInt8(ascii: "$"), Self.isHost(decoded.dropLast())
        else { throw Self.problem }
        isLive = parts[1] == "live"
        host = String(decoding: decoded.dropLast(), as: UTF8.self)
    }

    /// What the tokens of this instance say in `iss`.
    package var issuer: String { "https://" + host }

    /// The instance's keys, readable without a secret.
    package var jwksURL: String { issuer + "/.well-known/jwks.json" }

    private static let problem = ClerkConfigurationProblem(
        "CLERK_PUBLISHABLE_KEY is not a publishable key; copy the one that begins with pk_test_ or pk_live_ "
            + "from the API keys page of Clerk's dashboard.")

    /// The host becomes part of a URL, so nothing may get in that could end it early.
    private static func isHost(_ bytes: some Collection<UInt8>) -> Bool {
        bytes.contains(UInt8(ascii: "."))
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
                    UInt8(ascii: ":"):
                    true
                default:
                    false
                }
            }
    }
}
