import Hiredis
import TollgateCore

/// How a value stands in the fields of a Redis hash: the names of the fields, how they are written and how they are read,
/// in one row for each part of the value.
///
/// A schema of a record is made of the record's memberwise initializer and one row for each of its parameters, in their
/// order. So a property that is added to the record, and to its initializer, does not compile until it has a row:
///
///     static let schema = HashSchema(
///         Point.init(x:y:), HashRow(\.x, "x", .integer), HashRow(\.y, "y", .integer))
struct HashSchema<Value>: Sendable {
    /// The fields, in the order in which they are written.
    let names: [String]

    /// Appends field, value, field, value, … of what is there.
    fileprivate let write: @Sendable (Value, inout [String]) -> Void

    /// Nil when something is missing or unreadable without which it is no such value.
    fileprivate let read: @Sendable ([String: String]) -> Value?

    fileprivate init(
        names: [String], write: @escaping @Sendable (Value, inout [String]) -> Void,
        read: @escaping @Sendable ([String: String]) -> Value?
    ) {
        self.names = names
        self.write = write
        self.read = read
    }

    /// One field.
    init(_ name: String, _ coding: FieldCoding<Value>) {
        self.init(
            names: [name],
            write: { value, list in if let text = coding.write(value) { list += [name, text] } },
            read: { fields in coding.read(fields[name]) })
    }

    /// A record of several parts.
    ///
    /// - Parameter make: The record's initializer, named in full: then no parameter is left to its default.
    init<each Part>(
        _ make: @escaping @Sendable (repeat each Part) -> Value, _ rows: repeat HashRow<Value, each Part>
    ) {
        var names: [String] = []
        repeat names += (each rows).schema.names
        self.init(
            names: names,
            write: { value, list in
                repeat (each rows).write(value, &list)
            },
            read: { fields in
                do { return make(repeat try (each rows).read(fields)) } catch { return nil }
            })
    }

    /// The same for a value that need not be there. It is not there when it is nil, or when it cannot be read.
    var optional: HashSchema<Value?> {
        HashSchema<Value?>(
            names: names,
            write: { value, list in if let value { write(value, &list) } },
            read: { fields in .some(read(fields)) })
    }

    /// Field, value, field, value, …, as `HSET` is given them. A field that the value says nothing of is absent.
    func fields(of value: Value) -> [String] {
        var list: [String] = []
        write(value, &list)
        return list
    }

    /// The value that stands in `fields`. Nil when something is missing that each such value has.
    func value(in fields: [String: String]) -> Value? { read(fields) }
}

/// One part of a record, and how it stands in the hash.
struct HashRow<Record, Part>: Sendable {
    fileprivate let schema: HashSchema<Part>
    private let part: any KeyPath<Record, Part> & Sendable

    /// In fields of its own, by a schema of its own.
    init(_ part: any KeyPath<Record, Part> & Sendable, _ schema: HashSchema<Part>) {
        self.schema = schema
        self.part = part
    }

    /// In one field.
    init(_ part: any KeyPath<Record, Part> & Sendable, _ name: String, _ coding: FieldCoding<Part>) {
        self.init(part, HashSchema(name, coding))
    }

    /// Not in the hash, for it is known to all who read it, as from the name of the key.
    init(_ part: any KeyPath<Record, Part> & Sendable, known value: Part) where Part: Sendable {
        self.init(part, HashSchema(names: [], write: { _, _ in }, read: { _ in value }))
    }

    fileprivate func write(_ record: Record, _ list: inout [String]) { schema.write(record[keyPath: part], &list) }

    fileprivate func read(_ fields: [String: String]) throws(Unreadable) -> Part {
        guard let value = schema.read(fields) else { throw Unreadable() }
        return value
    }

    fileprivate struct Unreadable: Error {}
}

extension Collection<RedisReply> {
    /// What `HGETALL` tells: field, value, field, value, … What is no text counts as empty. Nil for anything else.
    var hashFields: [String: String]? {
        guard count.isMultiple(of: 2) else { return nil }
        var (fields, name): ([String: String], String?) = ([:], nil)
        for element in self {
            let text = element.string ?? ""
            if let field = name.take() { fields[field] = text } else { name = text }
        }
        return fields
    }
}

/// How a value stands in one field: written and read. Redis is shared with people, so each says what becomes of a field
/// that is missing, and of one in another form.
struct FieldCoding<Value>: Sendable {
    /// Nil where the field is absent.
    let write: @Sendable (Value) -> String?

    /// Is given nil where the field is absent. Nil when the record is not valid without it.
    let read: @Sendable (String?) -> Value?

    init(write: @escaping @Sendable (Value) -> String?, read: @escaping @Sendable (String?) -> Value?) {
        self.write = write
        self.read = read
    }

    /// A value that need not be there, and is not there in another form.
    static func optional<Wrapped>(_ coding: FieldCoding<Wrapped>) -> Self where Value == Wrapped? {
        FieldCoding(
            write: { value in value.flatMap { coding.write($0) } },
            read: { text in .some(text.flatMap { coding.read($0) }) })
    }

    /// A value that is `other` where it is missing or has another form.
    static func orElse(_ other: Value, _ coding: FieldCoding<Value>) -> Self where Value: Sendable {
        FieldCoding(write: coding.write, read: { coding.read($0) ?? other })
    }
}

extension FieldCoding where Value == String {
    static let text = FieldCoding(write: { $0 }, read: { $0 })
}

extension FieldCoding where Value: RawRepresentable<String> & SendableMetatype {
    static var rawValue: Self {
        FieldCoding(write: { $0.rawValue }, read: { text in text.flatMap { Value(rawValue: $0) } })
    }
}

extension FieldCoding where Value: LosslessStringConvertible & SendableMetatype {
    static var number: Self { FieldCoding(write: { $0.description }, read: { text in text.flatMap { Value($0) } }) }
}

extension FieldCoding where Value == Bool {
    static let yesOrNo = FieldCoding(write: { $0 ? "yes" : "no" }, read: { $0 == "yes" })
}

/// Moments are ISO 8601 in UTC.
extension FieldCoding where Value == UnixTime {
    static let moment = FieldCoding(write: { $0.iso8601 }, read: { text in text.flatMap { UnixTime(iso8601: $0) } })

    /// It has to be there; one in another form is long ago.
    static let anyMoment = FieldCoding(
        write: { $0.iso8601 }, read: { text in text.map { UnixTime(iso8601: $0) ?? .longAgo } })
}

extension FieldCoding where Value == UnixTime? {
    /// An end that nothing can read has come.
    static let end = FieldCoding(
        write: { $0?.iso8601 }, read: { text in .some(text.map { UnixTime(iso8601: $0) ?? .longAgo }) })
}

extension UnixTime {
    /// What is assumed of a moment that is missing or cannot be read.
    static let longAgo = UnixTime(seconds: 0)
}
