import JSONValue
import TollgateCore

/// An alert as people read it: what has happened, when, and what is to be done.
struct AlertText: Sendable, Hashable {
    /// One line.
    let subject: String

    /// Lines, each with its end.
    let body: String

    /// - Parameters:
    ///   - message: ``AlertMessage/body``. What is missing in it is shown as `-`.
    ///   - id: ``AlertMessage/id``
    init(_ message: JSON, id: String) {
        let data = message["data"]
        let user = Self.word(data["user"])
        let (what, remedies): (String, [String])
        switch message["type"].string.flatMap({ Alert.Kind(rawValue: $0) }) {
        case .quotaThreshold:
            let percent = Self.word(data["percent"])
            subject = "\(user) has used \(percent) % of the quota"
            what = """
                The user \(user) has used \(percent) % of the quota of the plan \(Self.word(data["plan"])): \
                \(Self.word(data["used"])) of \(Self.word(data["limit"])) calls.
                The period began at \(Self.word(data["period"])) and ends at \(Self.word(data["periodEnd"])).
                With the quota used up, calls are refused until then.
                """
            remedies = [
                "Offer a larger plan, or grant more calls in this period:",
                "  tollgate users grant \(Self.argument(user)) --calls 100 --reason courtesy",
            ]
        case .paymentFailed:
            subject = "A payment of \(user) did not come in"
            what = """
                Stripe could not collect an invoice of the user \(user), at try \(Self.word(data["attempt"])).
                Invoice: \(Self.word(data["invoice"]))
                Customer: \(Self.word(data["customer"])), subscription: \(Self.word(data["subscription"]))
                The plan is kept for the days of grace (STRIPE_PAST_DUE_GRACE_DAYS).
                """
            remedies = [
                "Stripe's dashboard says why it failed.", "Ask the customer for another means of payment.",
            ]
        case .keyExpiring:
            let (key, end) = (Self.word(data["key"]), Self.word(data["expiresAt"]))
            subject = "A key of \(user) ends at \(end)"
            what = """
                The secret key \(key) of the user \(user) ends at \(end).
                Calls with it are refused then.
                Its name: \(Self.word(data["name"]))
                """
            remedies = ["Remind the user to rotate it."]
        case nil:
            subject = "An alert: \(Self.word(message["type"]))"
            what = Self.word(.string(data.text))
            remedies = []
        }
        let looks = user == "-" ? [] : ["  tollgate users show \(Self.argument(user))"]
        let lines =
            [what, "", "Noticed at \(Self.word(message["timestamp"])).", ""] + remedies + looks
            + ["", "\(id), by Tollgate.", "The same alert has the same Message-ID."]
        body = lines.joined(separator: "\n") + "\n"
    }

    /// Longer ones are cut.
    private static let maximumLength = 500

    /// A value that makes no line of its own: some of them come from users.
    private static func word(_ value: JSON) -> String {
        let text = value.string ?? value.integer.map { "\($0)" } ?? ""
        let characters = text.unicodeScalars.map { scalar -> Character in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: " "
            default: Character(scalar)
            }
        }
        return text.isEmpty ? "-" : String(String(characters).prefix(maximumLength))
    }

    /// For a shell, where `|` has a meaning. A user's id has no quotes in it.
    private static func argument(_ user: String) -> String { user.contains("|") ? "'\(user)'" : user }
}
