import TollgateCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A JSON value, to be asked leniently: what is absent or of another type is nil. Stripe adds members and values at
/// any time, and moves some with a new version of its API, so a strict reader would break on what it does not need.
///
/// The one place that needs Foundation, and only its small half.
enum JSON: Sendable, Hashable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    /// Nil when `bytes` are not JSON in UTF-8.
    init?(parsing bytes: [UInt8]) {
        guard String(validating: bytes, as: UTF8.self) != nil,
            let value = try? JSONDecoder().decode(JSON.self, from: Data(bytes))
        else { return nil }
        self = value
    }
}

extension JSON: Decodable {
    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        // The decoder cannot be asked what is there, only told what to read. The most frequent comes first.
        if value.decodeNil() {
            self = .null
        } else if let text = try? value.decode(String.self) {
            self = .string(text)
        } else if let members = try? value.decode([String: JSON].self) {
            self = .object(members)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let flag = try? value.decode(Bool.self) {
            self = .bool(flag)
        } else if let elements = try? value.decode([JSON].self) {
            self = .array(elements)
        } else {
            // A number that no `Double` holds: nothing that is read here is one.
            self = .null
        }
    }
}

extension JSON {
    /// The member of that name. `null` when there is none, or when this is no object.
    subscript(name: String) -> JSON {
        guard case .object(let members) = self else { return .null }
        return members[name] ?? .null
    }

    /// The text, unless it is empty: an empty name names nothing.
    var text: String? {
        guard case .string(let text) = self, !text.isEmpty else { return nil }
        return text
    }

    /// True or false.
    var flag: Bool? {
        guard case .bool(let flag) = self else { return nil }
        return flag
    }

    /// The elements. None when this is no array.
    var elements: [JSON] {
        guard case .array(let elements) = self else { return [] }
        return elements
    }

    /// The whole number, if it is one that a `Double` holds exactly.
    var integer: Int64? {
        guard case .number(let number) = self, number.rounded() == number, number.magnitude <= 9_007_199_254_740_992
        else {
            return nil
        }
        return Int64(number)
    }

    /// A moment in unix seconds, as Stripe writes all of them. Nil for one that there is not.
    var moment: UnixTime? { integer.flatMap { UnixTime(checkedSeconds: $0) } }

    /// The id of an expandable field: the text itself, or the member `id` of the object that it was expanded to.
    var identifier: String? { text ?? self["id"].text }

    /// The members whose values are texts: Stripe's metadata.
    var texts: [String: String] {
        guard case .object(let members) = self else { return [:] }
        return members.compactMapValues(\.text)
    }

    /// The member of that name, read by `read`.
    ///
    /// - Throws: ``UnexpectedShape`` when it is absent or of another type.
    func required<Value>(_ name: String, _ read: (JSON) -> Value?) throws(UnexpectedShape) -> Value {
        guard let value = read(self[name]) else { throw UnexpectedShape(member: name) }
        return value
    }
}

/// JSON, but not what it should be.
struct UnexpectedShape: Error {
    /// The member that is absent or of another type.
    let member: String
}
