/// Any JSON value, to read and to write: what the stand-ins of Stripe and Clerk keep and answer with.
package enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// A string, or null for nil.
    package init(_ string: String?) { self = string.map(JSONValue.string) ?? .null }

    /// The string that this is; nil for anything else.
    package var string: String? {
        if case .string(let string) = self { string } else { nil }
    }

    /// The whole number that this is; nil for anything else.
    package var integer: Int64? {
        if case .integer(let integer) = self { integer } else { nil }
    }

    /// The object's members; nil for anything else.
    package var members: [String: JSONValue]? {
        if case .object(let members) = self { members } else { nil }
    }

    /// The array's elements; nil for anything else.
    package var elements: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// A member of the object that this is. One that is absent, or asked of anything else, is null.
    package subscript(_ name: String) -> JSONValue {
        get { members?[name] ?? .null }
        set { self = .object((members ?? [:]).merging([name: newValue]) { $1 }) }
    }

    /// JSON text without blanks, members sorted by name, so that the same value reads the same every time.
    package var text: String { ordered.text }

    private var ordered: TokenJSON {
        switch self {
        case .null: .null
        case .bool(let value): .boolean(value)
        case .integer(let value): .integer(value)
        case .number(let value): .number(value)
        case .string(let value): .string(value)
        case .array(let values): .array(values.map(\.ordered))
        case .object(let members):
            .object(members.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value.ordered) })
        }
    }
}

extension JSONValue: Decodable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let values = try? container.decode([JSONValue].self) {
            self = .array(values)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(nilLiteral: ()) { self = .null }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(stringLiteral value: String) { self = .string(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements) { $1 })
    }
}
