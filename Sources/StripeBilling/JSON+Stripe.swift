import JSONValue
import TollgateCore

/// Stripe's objects are asked leniently: what is absent or of another type is nil. Stripe adds members and values at
/// any time, and moves some with a new version of its API, so a strict reader would break on what it does not need.
extension JSON {
    /// Nil when `bytes` are not JSON in UTF-8.
    init?(parsingUTF8 bytes: [UInt8]) {
        guard String(validating: bytes, as: UTF8.self) != nil else { return nil }
        self.init(parsing: bytes)
    }

    /// The string, unless it is empty: an empty name names nothing.
    var nonEmptyString: String? { string.flatMap { $0.isEmpty ? nil : $0 } }

    /// A moment in unix seconds, as Stripe writes all of them. Nil for one that there is not.
    var moment: UnixTime? { integer.flatMap { UnixTime(checkedSeconds: $0) } }

    /// The id of an expandable field: the string itself, or the member `id` of the object that it was expanded to.
    var identifier: String? { nonEmptyString ?? self["id"].nonEmptyString }

    /// The members whose values are strings: Stripe's metadata.
    var strings: [String: String] { membersByName?.compactMapValues(\.nonEmptyString) ?? [:] }

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
