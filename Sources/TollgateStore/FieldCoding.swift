import TollgateCore

/// How a value stands in one field: written and read. Redis is shared with people, so each says what becomes of a field
/// that is missing, and of one in another form.
struct FieldCoding<Value>: Sendable {
    /// Nil where the field is absent.
    let write: @Sendable (Value) -> String?

    /// Is given nil where the field is absent. Nil when the record is none without it.
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
