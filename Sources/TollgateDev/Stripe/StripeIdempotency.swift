import HTTPTypes

/// Answers by idempotency key: the same request again gets the same answer, and nothing is done twice.
struct StripeIdempotency: Sendable {
    private struct Entry {
        let path: String
        let form: StandInFormValue
        let answer: StandInStripeAnswer
    }

    private var entries: [String: Entry] = [:]

    /// The answer that this key got before; nil when it is new.
    func answer(key: String, path: String, form: StandInFormValue) throws -> StandInStripeAnswer? {
        guard key.utf8.count <= 255 else {
            throw StandInStripeError("Idempotency-Key has more than 255 characters.")
        }
        guard let entry = entries[key] else { return nil }
        guard entry.path == path, entry.form == form else {
            throw StandInStripeError(
                "Keys for idempotent requests can only be used with the endpoint and parameters of their first use.",
                type: "idempotency_error")
        }
        return entry.answer
    }

    /// Keeps an answer, also an error, as long as the stand-in runs.
    mutating func store(_ answer: StandInStripeAnswer, key: String, path: String, form: StandInFormValue) {
        entries[key] = Entry(path: path, form: form, answer: answer)
    }
}
