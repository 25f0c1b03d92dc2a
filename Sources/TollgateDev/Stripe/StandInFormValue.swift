import PercentCoding

/// A form as Stripe reads it: `a[b][0]=c` is a tree.
indirect enum StandInFormValue: Sendable, Hashable {
    case text(String)
    case fields([String: StandInFormValue])

    /// Parses `application/x-www-form-urlencoded`. Names may be percent-encoded or have literal brackets.
    init(form: String) throws {
        self = .fields([:])
        for pair in form.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentEncoding.decoded(parts[0], plusIsSpace: true),
                let text = PercentEncoding.decoded(parts.count > 1 ? parts[1] : "", plusIsSpace: true)
            else {
                throw StandInStripeError("Invalid request: the form is not percent-encoded UTF-8.")
            }
            guard let path = Self.path(name) else { throw StandInStripeError.unknown(name) }
            guard insert(text, at: path[...]) else {
                throw StandInStripeError("Invalid: \(name) is given twice.", code: "parameter_invalid", parameter: name)
            }
        }
    }

    /// `line_items[0][price]` is `line_items`, `0`, `price`. Nil when the brackets do not match.
    private static func path(_ name: String) -> [String]? {
        let parts = name.split(separator: "[", omittingEmptySubsequences: false)
        guard !parts[0].isEmpty, parts.count <= 8 else { return nil }
        var path = [String(parts[0])]
        for part in parts.dropFirst() {
            guard part.last == "]" else { return nil }
            path.append(String(part.dropLast()))
        }
        return path.contains { $0.contains("]") } ? nil : path
    }

    /// False when there is a value already, or a tree where a value should go.
    private mutating func insert(_ text: String, at path: ArraySlice<String>) -> Bool {
        guard case .fields(var fields) = self, let first = path.first else { return false }
        // `a[]` appends.
        let name = first.isEmpty ? "\(fields.count)" : first
        if path.count == 1 {
            guard fields.updateValue(.text(text), forKey: name) == nil else { return false }
        } else {
            var child = fields[name] ?? .fields([:])
            guard child.insert(text, at: path.dropFirst()) else { return false }
            fields[name] = child
        }
        self = .fields(fields)
        return true
    }
}
