import JSONValue

/// What a parameter of Stripe's API may be. Whatever is not said to be allowed is refused, as Stripe does.
indirect enum StripeParameter: Sendable {
    case text(maximumLength: Int = 5_000)
    case url
    case integer(ClosedRange<Int64>)
    case boolean
    case oneOf([String])
    case metadata
    case list(StripeParameter, maximumCount: Int)
    case object([String: StripeParameter], required: [String] = [])

    /// The value in the type it stands for.
    ///
    /// - Parameter path: The parameter's name in full, such as `line_items[0][price]`; empty for the whole form.
    func checked(_ value: StandInFormValue, at path: String = "") throws -> JSON {
        switch (self, value) {
        case (.object(let rules, let required), .fields(let fields)):
            return try Self.object(fields, rules: rules, required: required, at: path)
        case (.list(let rule, let maximumCount), .fields(let fields)):
            return try Self.list(fields, rule: rule, maximumCount: maximumCount, at: path)
        case (.metadata, .fields(let fields)):
            return try Self.metadata(fields, at: path)
        case (.metadata, .text("")):
            return [:]
        case (.object, .text), (.list, .text), (.metadata, .text):
            let kind = if case .list = self { "array" } else { "object" }
            throw StandInStripeError("Invalid \(kind)", code: "parameter_invalid", parameter: path)
        case (_, .fields):
            throw StandInStripeError("Invalid string: \(path) has parts", code: "parameter_invalid", parameter: path)
        case (_, .text("")):
            throw StandInStripeError(
                "You passed an empty string for '\(path)'.", code: "parameter_invalid_empty", parameter: path)
        case (_, .text(let text)):
            return try scalar(text, at: path)
        }
    }

    private func scalar(_ text: String, at path: String) throws -> JSON {
        switch self {
        case .text(let maximumLength):
            guard text.count <= maximumLength else {
                throw StandInStripeError(
                    "Invalid string: must be at most \(maximumLength) characters", parameter: path)
            }
        case .url:
            guard Self.isURL(text) else {
                throw StandInStripeError("Not a valid URL", code: "url_invalid", parameter: path)
            }
        case .oneOf(let names):
            guard names.contains(text) else {
                throw StandInStripeError(
                    "Invalid \(path): must be one of \(names.joined(separator: ", "))", parameter: path)
            }
        case .boolean:
            guard text == "true" || text == "false" else {
                throw StandInStripeError("Invalid boolean: \(text)", parameter: path)
            }
            return .bool(text == "true")
        case .integer(let range):
            guard let number = Int64(text), range.contains(number) else {
                throw StandInStripeError(
                    "Invalid integer: must be from \(range.lowerBound) to \(range.upperBound)",
                    code: "parameter_invalid_integer", parameter: path)
            }
            return .integer(number)
        case .metadata, .list, .object:
            preconditionFailure("\(path) is no scalar")
        }
        return .string(text)
    }

    private static func object(
        _ fields: [String: StandInFormValue], rules: [String: StripeParameter], required: [String], at path: String
    ) throws -> JSON {
        var members: [String: JSON] = [:]
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
            let full = path.isEmpty ? name : "\(path)[\(name)]"
            guard let rule = rules[name] else { throw StandInStripeError.unknown(full) }
            members[name] = try rule.checked(value, at: full)
        }
        if let missing = required.first(where: { members[$0] == nil }) {
            throw StandInStripeError.missing(path.isEmpty ? missing : "\(path)[\(missing)]")
        }
        return JSON(members)
    }

    private static func list(
        _ fields: [String: StandInFormValue], rule: StripeParameter, maximumCount: Int, at path: String
    ) throws -> JSON {
        guard fields.count <= maximumCount else {
            throw StandInStripeError("Array must have at most \(maximumCount) elements", parameter: path)
        }
        return .array(
            try (0..<fields.count).map { index in
                guard let value = fields["\(index)"] else {
                    throw StandInStripeError(
                        "Invalid array: no index \(index)", code: "parameter_invalid", parameter: path)
                }
                return try rule.checked(value, at: "\(path)[\(index)]")
            })
    }

    /// At most 50 keys of 40 characters, with values of 500. An empty value unsets its key.
    private static func metadata(_ fields: [String: StandInFormValue], at path: String) throws -> JSON {
        guard fields.count <= 50 else {
            throw StandInStripeError("Metadata must have at most 50 keys", parameter: path)
        }
        var members: [String: JSON] = [:]
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
            guard case .text(let text) = value, name.count <= 40, text.count <= 500 else {
                throw StandInStripeError(
                    "Metadata keys have at most 40 characters, and values are strings of at most 500",
                    parameter: "\(path)[\(name)]")
            }
            if !text.isEmpty { members[name] = .string(text) }
        }
        return JSON(members)
    }

    private static func isURL(_ text: String) -> Bool {
        guard let scheme = ["https://", "http://"].first(where: text.hasPrefix),
            let first = text.dropFirst(scheme.count).first
        else { return false }
        return (first.isLetter || first.isNumber || first == "[")
            && text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value < 0x7F }
    }
}
