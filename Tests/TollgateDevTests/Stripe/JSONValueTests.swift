import Testing
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension JSONValue {
    /// Null when the text is no JSON.
    static func parsed(_ text: String) -> JSONValue {
        (try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))) ?? .null
    }

    /// What a part of a token holds.
    static func parsed(base64URL text: String) throws -> JSONValue {
        let base64 = text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
        let padding = String(repeating: "=", count: (4 - base64.count % 4) % 4)
        let data = try #require(Data(base64Encoded: String(base64) + padding))
        return try JSONDecoder().decode(JSONValue.self, from: data)
    }
}

struct JSONValueTests {
    @Test(arguments: [
        "null", "true", "0", "-9223372036854775808", "1.5", #""a\"\\\u0000é/""#, "[]", "{}",
        #"{"a":[1,{"b":null}],"c":false}"#,
    ])
    func readsAndWrites(_ text: String) {
        #expect(JSONValue.parsed(text).text == text)
    }

    @Test
    func absentMembersAreNull() {
        var value: JSONValue = ["a": ["b": 1]]
        #expect(value["x"]["y"] == .null)
        value["a"]["c"] = "new"
        #expect(value == ["a": ["b": 1, "c": "new"]])
    }
}
