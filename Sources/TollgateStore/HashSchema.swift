import Hiredis

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
