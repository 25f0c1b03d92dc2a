import JSONValue
import Testing

/// Values as code makes, asks, compares and writes them.
@Suite struct JSONTests {
    @Test func membersKeepTheirOrder() {
        let value: JSON = ["b": 1, "a": [true, nil, 0.5, "x"], "b": .integer(Int64.min)]
        #expect(value.text == #"{"b":1,"a":[true,null,0.5,"x"],"b":-9223372036854775808}"#)
        #expect(value["b"] == 1, "the first of a name counts")
        #expect(value.membersByName?["b"] == 1)
        #expect(JSON(["b": 1, "a": .text(nil), "c": .text("d")]).text == #"{"a":null,"b":1,"c":"d"}"#)
    }

    @Test(arguments: [
        ("plain é😀/", #""plain é😀/""#), ("\"\\", #""\"\\""#), ("\n\r\t", #""\n\r\t""#),
        ("\u{0}\u{8}\u{1f}\u{7f}", "\"\\u0000\\u0008\\u001f\u{7f}\""),
    ])
    func stringsAreEscaped(string: String, text: String) {
        #expect(JSON.string(string).text == text)
        #expect((["\(string)": 1] as JSON).text == "{\(text):1}")
    }

    @Test func absentMembersAreNull() {
        var value: JSON = ["a": ["b": 1]]
        #expect(value["x"]["y"] == .null)
        value["a"]["c"] = "new"
        value["a"]["b"] = 2
        #expect(value == ["a": ["b": 2, "c": "new"]])
        #expect(value.text == #"{"a":{"b":2,"c":"new"}}"#)
        value["a"]["b"]["deep"] = true
        #expect(value["a"]["b"] == ["deep": true], "what is no object becomes one")
    }

    @Test func anotherTypeIsNil() {
        let values: [JSON] = [.null, true, 1, 0.5, "text", [1], ["a": 1], .unreadable]
        #expect(values.map(\.bool) == [nil, true, nil, nil, nil, nil, nil, nil])
        #expect(values.map(\.integer) == [nil, nil, 1, nil, nil, nil, nil, nil])
        #expect(values.map(\.string) == [nil, nil, nil, nil, "text", nil, nil, nil])
        #expect(values.map(\.elements) == [nil, nil, nil, nil, nil, [1], nil, nil])
        #expect(values.map { $0.members?.map(\.name) } == [nil, nil, nil, nil, nil, nil, ["a"], nil])
        #expect(values.map(\.text) == ["null", "true", "1", "0.5", #""text""#, "[1]", #"{"a":1}"#, "null"])
    }

    @Test func orderOfMembersMakesNoDifference() {
        let value: JSON = ["a": 1, "b": ["c": 2, "d": [3]]]
        let other: JSON = ["b": ["d": [3], "c": 2], "a": 1]
        #expect(value == other && value.hashValue == other.hashValue)
        for different: JSON in [
            ["a": 1], ["a": 1, "b": ["c": 2, "d": [4]]], ["b": ["d": [3], "c": 2], "a": 2],
            ["a": 1, "b": ["c": 2, "d": [3]], "e": nil], ["a": 1, "B": ["c": 2, "d": [3]]],
        ] {
            #expect(value != different)
        }
        let repeated: JSON = ["a": 1, "a": 2]
        #expect(repeated != ["a": 2, "a": 1] && repeated != ["a": 1, "b": 2] && repeated != ["a": 1])
        #expect(JSON.null != .unreadable && JSON.integer(1) != .decimal(1))
    }

    /// Whether two deep values are equal is found out in one pass.
    @Test func deepValuesAreComparedOnce() {
        func deep(_ last: JSON) -> JSON { (0..<200).reduce(last) { value, _ in ["a": value, "b": 1] } }
        #expect(deep(1) == deep(1) && deep(1) != deep(2))
    }
}
