/// Keeps development mode, where one may sign in as any user, away from the keys of real customers and real money.
package enum LiveKeyGuard {
    /// A variable holds a live key. Names the variable, never the value.
    package struct Refusal: Error, Sendable, Hashable, CustomStringConvertible {
        /// The variable's name.
        package let variable: String

        package var description: String {
            "\(variable) holds a live key, which development mode never touches: unset it, or use a test key"
        }
    }

    private static let variables = ["CLERK_SECRET_KEY", "CLERK_PUBLISHABLE_KEY", "STRIPE_SECRET_KEY"]
    private static let livePrefixes = ["sk_live_", "pk_live_", "rk_live_"]

    /// - Throws: ``Refusal`` for the first variable with a live key.
    package static func refuse(environment: [String: String]) throws(Refusal) {
        for variable in variables {
            // A value pasted with blanks or quotes around it is as live.
            let value = (environment[variable] ?? "").drop { $0.isWhitespace || $0 == "\"" || $0 == "'" }
            if livePrefixes.contains(where: { value.hasPrefix($0) }) { throw Refusal(variable: variable) }
        }
    }
}
