import HTTPWire
import NIOCore

/// Writes the fields of one head, and has the operator's rules obeyed in all of them.
struct FieldWriter {
    private(set) var buffer: ByteBuffer
    let rules: HeaderRules

    init(_ buffer: ByteBuffer, rules: HeaderRules) {
        self.buffer = buffer
        self.rules = rules
    }

    /// A field of ours.
    mutating func field(_ name: StaticString, _ value: String) {
        guard rules.replaced.isEmpty || !rules.replaces(name.description) else { return }
        buffer.writeField(name, value)
    }

    /// The same with a value in pieces.
    mutating func field(_ name: StaticString, _ pieces: [String]) {
        guard rules.replaced.isEmpty || !rules.replaces(name.description) else { return }
        buffer.writeField(name, pieces: pieces)
    }

    /// A field that came, with another value.
    mutating func pass(_ line: FieldLine, of fields: FieldSection, value: String) {
        guard !rules.replaces(line, of: fields) else { return }
        buffer.writeField(name: fields.name(of: line), value)
    }

    /// A field that frames or routes the message, which no rule touches.
    mutating func ownField(_ name: StaticString, _ value: String) { buffer.writeField(name, value) }

    mutating func ownField(_ name: StaticString, _ value: Int) { buffer.writeField(name, value) }

    /// Fields that came, as they came.
    mutating func pass(_ fields: FieldSection, where mayPass: (FieldLine) -> Bool) {
        buffer.writeLines(of: fields) { mayPass($0) && !rules.replaces($0, of: fields) }
    }

    /// What the rules add.
    ///
    /// - Parameter names: In lower case, of fields that are left out.
    mutating func addRules(except names: [String] = []) {
        for field in rules.set where names.isEmpty || !names.contains(field.name.lowercased()) {
            buffer.writeField(name: field.name, field.value)
        }
    }
}
