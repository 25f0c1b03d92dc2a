#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The one place that needs Foundation, and only its small half.
enum JSON {
    /// Decodes `bytes`, and passes on whatever a `Decodable` of ours throws.
    static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        try JSONDecoder().decode(type, from: Data(bytes))
    }

    /// `value` as JSON, the members in alphabetical order.
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }
}

/// The name of a member of a JSON object, written where it is read.
struct JSONName: CodingKey, ExpressibleByStringLiteral {
    let stringValue: String

    init(stringValue: String) { self.stringValue = stringValue }
    init(stringLiteral: String) { self.stringValue = stringLiteral }

    // An array is never read by name.
    init?(intValue: Int) { nil }
    var intValue: Int? { nil }
}
