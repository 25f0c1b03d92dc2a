import JSONValue
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension JSON {
    /// Null when the text is no JSON.
    static func parsed(_ text: String) -> JSON { JSON(parsing: text.utf8) ?? .null }

    /// What a part of a token holds.
    static func parsed(base64URL text: String) throws -> JSON {
        let base64 = text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
        let padding = String(repeating: "=", count: (4 - base64.count % 4) % 4)
        let data = try #require(Data(base64Encoded: String(base64) + padding))
        return try #require(JSON(parsing: data))
    }
}
