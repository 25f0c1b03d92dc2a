import JSONValue
import Testing

/// Values as they are read from bytes.
@Suite struct JSONParsingTests {
    @Test(arguments: [
        "null", "true", "0", "-9223372036854775808", "1.5", #""a\"\\\u0000é/""#, "[]", "{}",
        #"{"a":[1,{"b":null}],"c":false}"#,
    ])
    func readsAndWrites(_ text: String) {
        #expect(JSON(parsing: text.utf8)?.text == text)
    }

    @Test(arguments: ["", " ", "nul", "1 2", "{", #"{"a" 1}"#, "{a:1}", "\"", "NaN", "\u{a0}1", "[1 2]"])
    func whatIsNoJSON(_ text: String) {
        #expect(JSON(parsing: text.utf8) == nil)
    }

    @Test(
        arguments: [
            ("9223372036854775807", .integer(Int64.max)), ("-0", 0), ("1.0", 1), ("1e2", 100),
            ("9223372036854775808", 9_223_372_036_854_775_808.0), ("-1.25e-2", -0.0125), ("1e400", .unreadable),
        ] as [(String, JSON)])
    func numbers(text: String, value: JSON) {
        #expect(JSON(parsing: text.utf8) == value)
        #expect(JSON(parsing: "[\(text)]".utf8) == [value])
    }

    @Test(
        arguments: [
            (#""\ud83d\ude00\/\b""#, "😀/\u{8}"), (#""\ud83d""#, .unreadable), (#"{"a":"\ude00","b":1}"#, nil),
        ] as [(String, JSON?)])
    func surrogates(text: String, value: JSON?) {
        let read = JSON(parsing: text.utf8)
        #expect(read == value ?? ["a": .unreadable, "b": 1], "what cannot be read spoils nothing else")
    }

    @Test func membersAreSortedAndTheFirstOfANameCounts() {
        let text = #" { "b" : [ 1 , 2 ] , "a" : 1 , "b" : 3 } "#
        #expect(JSON(parsing: text.utf8)?.text == #"{"a":1,"b":[1,2]}"#)
    }

    @Test(arguments: [("[", "]"), (#"{"a":"#, "}")])
    func depthIsBounded(opening: String, closing: String) {
        func deep(_ depth: Int) -> String {
            String(repeating: opening, count: depth) + "1" + String(repeating: closing, count: depth)
        }
        #expect(JSON(parsing: deep(512).utf8)?.text == deep(512))
        #expect(JSON(parsing: deep(513).utf8) == nil)
        #expect(JSON(parsing: String(repeating: opening, count: 300_000).utf8) == nil)
    }
}
