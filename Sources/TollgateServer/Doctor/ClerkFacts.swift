import TollgateCore

/// What Clerk has answered, to be judged.
struct ClerkFacts: Sendable {
    /// Where the keys that verify tokens come from, and what is there.
    enum SigningKeys: Sendable, Hashable {
        /// Of the configuration itself.
        case given
        case loaded(from: String, names: [String])
        case unavailable(from: String, reason: String)
    }

    /// What became of a call with the secret key.
    enum SecretKey: Sendable, Hashable {
        case notConfigured
        case taken(keyNames: [String])
        case refused
        case unavailable(reason: String)
    }

    let signingKeys: SigningKeys
    let secretKey: SecretKey

    /// How far this machine's clock is ahead of Clerk's, in seconds. Nil when Clerk was not asked, or told no time.
    let aheadSeconds: Int64?

    /// Of the keys that are configured, which are for a live instance. Nil where the key is not.
    let isLive: Bool?
    let stripeIsLive: Bool?
}

extension ClerkFacts {
    /// `Date` has whole seconds, and an answer takes its time.
    private static let toleratedSeconds: Int64 = 5

    var findings: [Finding] { [signingKeysFinding, secretKeyFinding, instance, clock, mode].compactMap(\.self) }

    private var signingKeysFinding: Finding {
        switch signingKeys {
        case .given: .ok(.clerk, "signing-keys", "CLERK_JWT_KEY, without asking Clerk")
        case .loaded(let url, let names):
            .ok(.clerk, "signing-keys", "\(names.count) at \(url): \(names.sorted().joined(separator: ", "))")
        case .unavailable(let url, let reason):
            .fail(
                .clerk, "signing-keys", "\(url): \(reason); no session token can be verified.",
                remedy: "See whether this machine reaches it, correct CLERK_PUBLISHABLE_KEY or CLERK_JWKS_URL, or give "
                    + "CLERK_JWT_KEY.")
        }
    }

    private var secretKeyFinding: Finding {
        switch secretKey {
        case .notConfigured: .skipped(.clerk, "secret-key", "not configured")
        case .taken: .ok(.clerk, "secret-key", "Clerk takes it")
        case .refused:
            .fail(
                .clerk, "secret-key", "Clerk does not take CLERK_SECRET_KEY.",
                remedy: "Copy the secret key from the API keys page of Clerk's dashboard.")
        case .unavailable(let reason):
            .warn(
                .clerk, "secret-key", "Clerk could not be asked whether it takes CLERK_SECRET_KEY: \(reason).",
                remedy: "See whether this machine reaches CLERK_API_URL, and Clerk's status page.")
        }
    }

    /// The two ways to the keys of one instance lead to the same.
    private var instance: Finding? {
        guard case .loaded(_, let names) = signingKeys, case .taken(let others) = secretKey else { return nil }
        guard Set(names).isDisjoint(with: others) else {
            return .ok(.clerk, "instance", "the keys are of one instance")
        }
        return .fail(
            .clerk, "instance", "The key set that verifies tokens is of another instance than CLERK_SECRET_KEY.",
            remedy: "Take both keys from one page of Clerk's dashboard.")
    }

    private var clock: Finding? {
        guard let seconds = aheadSeconds else { return nil }
        guard abs(seconds) > Self.toleratedSeconds else {
            return .ok(.clock, "clerk-clock", "this machine and Clerk differ by \(abs(seconds)) s")
        }
        return .warn(
            .clock, "clerk-clock",
            "The clock of this machine is \(abs(seconds)) s \(seconds > 0 ? "ahead of" : "behind") Clerk's: tokens may be "
                + "taken for too young or too old, and a plan that was bought may show late.",
            remedy: "Let NTP set the clocks of this machine and of Redis.")
    }

    private var mode: Finding? {
        guard let isLive, let stripeIsLive else { return nil }
        guard isLive != stripeIsLive else {
            return .ok(.stripe, "mode", isLive ? "live, at Clerk as well" : "test, at Clerk as well")
        }
        return .warn(
            .stripe, "mode",
            "STRIPE_SECRET_KEY is a \(stripeIsLive ? "live" : "test") key and Clerk's a \(isLive ? "live" : "test") one.",
            remedy: stripeIsLive
                ? "Use Stripe's test keys with Clerk's development instance, or customers' money buys test users a plan."
                : "Use Stripe's live keys before you open: no customer can pay with a test key.")
    }
}
