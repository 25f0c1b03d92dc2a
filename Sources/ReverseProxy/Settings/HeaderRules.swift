import HTTPWire

/// What an operator wants changed in the head of a message, after all else has been done to it.
package struct HeaderRules: Sendable, Hashable {
    /// A field to be set.
    package struct Field: Sendable, Hashable {
        package let name: String
        package let value: String

        /// Nil when the name is no field name, the value has a control byte, or the name is one that frames or routes
        /// the message: those are the proxy's own.
        package init?(name: String, value: String) {
            guard HeaderRules.mayName(name), value.utf8.allSatisfy(\.isFieldValueByte) else { return nil }
            self.name = name
            self.value = value
        }
    }

    /// Fields that take the place of any of the same name.
    package let set: [Field]

    /// Names of fields that do not pass: those removed, and those set. In lower case and with hyphens for separators,
    /// since a reader who cannot tell these apart is not to see any.
    let replaced: [String]

    package init(remove: [String] = [], set: [Field] = []) {
        self.set = set
        replaced = (remove.filter(Self.mayName) + set.map(\.name)).map(Self.folded)
    }

    /// Whether a rule may touch the field called `name`.
    static func mayName(_ name: String) -> Bool {
        guard !name.isEmpty, name.utf8.allSatisfy(\.isTokenByte) else { return false }
        let kind = FieldKind(folding: name)
        return switch kind {
        case .endToEnd, .authorization, .apiKey, .idempotencyKey, .requestID, .origin, .webSocketProtocol, .rateLimit,
            .date, .location, .via:
            true
        default: kind.tellsOfClient
        }
    }

    /// Whether a field of ours is to be left out.
    func replaces(_ name: String) -> Bool { !replaced.isEmpty && replaced.contains(Self.folded(name)) }

    private static func folded(_ name: String) -> String {
        String(decoding: name.utf8.map(\.foldedNameByte), as: UTF8.self)
    }

    /// Whether a field that passes through is to be left out.
    func replaces(_ line: FieldLine, of fields: FieldSection) -> Bool {
        for name in replaced where fields.name(of: line, folds: name) { return true }
        return false
    }
}
