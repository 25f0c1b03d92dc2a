/// The name of a member of a JSON object, written where it is read.
struct JSONName: CodingKey, ExpressibleByStringLiteral {
    let stringValue: String

    init(stringValue: String) { self.stringValue = stringValue }
    init(stringLiteral: String) { self.stringValue = stringLiteral }

    // An array is never read by name.
    init?(intValue: Int) { nil }
    var intValue: Int? { nil }
}
