/// A JSON value (RFC 8259): made of literals, read leniently, and written in the order in which it was made.
package enum JSON: Sendable {
    case null
    case bool(Bool)
    /// A whole number, however it was written: `100` and `1e2` are the same.
    case integer(Int64)
    /// Any other number, and finite.
    case decimal(Double)
    case string(String)
    case array([JSON])
    /// In the order in which the members are written. A name may occur twice: the first one counts.
    case object([Member])
    /// What was read and fits none of the other cases: a number that `Double` cannot hold, or a string with half a
    /// surrogate pair. It is kept apart from ``null``, which may stand for "left out".
    case unreadable

    /// A name and its value in an object.
    package struct Member: Sendable, Hashable {
        package let name: String
        package var value: JSON

        /// A member of an object that is made.
        package init(name: String, value: JSON) {
            self.name = name
            self.value = value
        }
    }

    /// An object of these members, sorted by name.
    package init(_ members: [String: JSON]) {
        self = .object(members.sorted { $0.key < $1.key }.map { Member(name: $0.key, value: $0.value) })
    }

    /// A whole number.
    package static func integer(_ value: Int) -> JSON { .integer(Int64(value)) }

    /// A string, or null.
    package static func text(_ value: String?) -> JSON { value.map(JSON.string) ?? .null }
}

/// What a value is. Each is nil for a value of another type.
extension JSON {
    /// The text, which may be empty.
    package var string: String? {
        if case .string(let string) = self { string } else { nil }
    }

    /// The whole number.
    package var integer: Int64? {
        if case .integer(let integer) = self { integer } else { nil }
    }

    /// True or false.
    package var bool: Bool? {
        if case .bool(let bool) = self { bool } else { nil }
    }

    /// The elements of an array.
    package var elements: [JSON]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The members of an object, in their order.
    package var members: [Member]? {
        if case .object(let members) = self { members } else { nil }
    }

    /// The members of an object by name.
    package var membersByName: [String: JSON]? {
        members.map { Dictionary($0.map { ($0.name, $0.value) }) { first, _ in first } }
    }

    /// A member of an object. One that is absent, or asked of anything but an object, is null. Setting one makes an
    /// object of whatever was there, and adds a new member at the end.
    package subscript(name: String) -> JSON {
        get { members?.first { $0.name == name }?.value ?? .null }
        set {
            var members = members ?? []
            if let place = members.firstIndex(where: { $0.name == name }) {
                members[place].value = newValue
            } else {
                members.append(Member(name: name, value: newValue))
            }
            self = .object(members)
        }
    }
}

extension JSON: Hashable {
    /// Objects are equal whatever the order of their members.
    package static func == (left: JSON, right: JSON) -> Bool {
        switch (left, right) {
        case (.null, .null), (.unreadable, .unreadable): true
        case (.bool(let left), .bool(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.decimal(let left), .decimal(let right)): left == right
        case (.string(let left), .string(let right)): left == right
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): areEqual(left, right)
        default: false
        }
    }

    /// Values are compared once at each level, so that deep ones take no longer than they are long.
    private static func areEqual(_ left: [Member], _ right: [Member]) -> Bool {
        guard left.count == right.count else { return false }
        guard left.map(\.name) != right.map(\.name) else { return left.map(\.value) == right.map(\.value) }
        func byName(_ members: [Member]) -> [String: [JSON]] {
            Dictionary(grouping: members, by: \.name).mapValues { $0.map(\.value) }
        }
        return byName(left) == byName(right)
    }

    package func hash(into hasher: inout Hasher) {
        switch self {
        case .null: hasher.combine(0)
        case .bool(let value): hasher.combine(value)
        case .integer(let value): hasher.combine(value)
        case .decimal(let value): hasher.combine(value)
        case .string(let value): hasher.combine(value)
        case .array(let elements): hasher.combine(elements)
        case .object(let members): hasher.combine(Set(members.map(\.name)))
        case .unreadable: hasher.combine(1)
        }
    }
}

extension JSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(nilLiteral: ()) { self = .null }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .decimal(value) }
    package init(stringLiteral value: String) { self = .string(value) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(elements.map { Member(name: $0.0, value: $0.1) })
    }
}
