import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The one reader that the scripts have for numbers and for moments, and its twin in Swift: what one of them takes for a
/// moment and the other does not would be a key that has expired in one place only.
@Suite struct StoredValueTests {
    /// `values.lua` as it stands in the product, with an expression behind it that is made of each argument.
    private static func script(_ expression: String) throws -> RedisScript {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = root.appending(path: "Sources/TollgateStore/Scripts/values.lua")
        let values = try String(contentsOf: file, encoding: .utf8)
        let lines = [
            values, "local results = {}", "for place, text in ipairs(ARGV) do", "results[place] = \(expression)", "end",
            "return results",
        ]
        return RedisScript(source: lines.joined(separator: "\n"))
    }

    private func results(of expression: String, for texts: [String]) async throws -> [String] {
        let script = try Self.script(expression)
        return try await withRedis { server in
            try await withRedisClient(server.patientConfiguration) { client in
                var results: [String] = []
                for start in stride(from: 0, to: texts.count, by: 2000) {
                    let some = Array(texts[start..<min(start + 2000, texts.count)])
                    let reply = try await client.run(RedisScript.Call(script, keys: [], arguments: some))
                    results += reply.array?.compactMap(\.string) ?? []
                }
                return results
            }
        }
    }

    // MARK: Moments

    private static let edges = [
        "2025-11-26T23:00:00Z", "0000-01-01T00:00:00Z", "0000-02-29T00:00:00Z", "9999-12-31T23:59:59Z",
        "2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z", "2000-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z", "2024-02-30T00:00:00Z", "2025-01-31T00:00:00Z", "2025-01-32T00:00:00Z",
        "2025-04-30T00:00:00Z", "2025-04-31T00:00:00Z", "2025-06-31T00:00:00Z", "2025-09-31T00:00:00Z",
        "2025-11-31T00:00:00Z", "2025-12-31T00:00:00Z", "2025-00-01T00:00:00Z", "2025-13-01T00:00:00Z",
        "2025-01-00T00:00:00Z", "2025-01-01T24:00:00Z", "2025-01-01T23:60:00Z", "2025-01-01T23:59:60Z",
        "2025-01-01T99:99:99Z", "", "Z", "2025-11-26", "2025-11-26T23:00Z", "2025-11-26T23:00:00",
        "2025-11-26T23:00:00z", "2025-11-26t23:00:00Z", "2025-11-26 23:00:00Z", "2025-11-26T23:00:00.5Z",
        "2025-11-26T23:00:00+00:00", "2025-11-26T23:00:00Z ", " 2025-11-26T23:00:00Z", "2025-11-26T23:00:00Z\n",
        "2025-11-26T23:00:00Z\u{0}", "2025-11-26T23:00:0\u{0}Z", "-025-11-26T23:00:00Z", "+2025-11-26T23:00:00Z",
        "2025-11-26T23:00:0٣Z", "２025-11-26T23:00:00Z", "2025-1-26T023:00:00Z", "nan", "1764198000", "%d%d%d%d-%d%d",
        String(repeating: "2", count: 20), String(repeating: "2025-11-26T23:00:00Z", count: 2),
    ]

    private static func random(using random: inout SeededGenerator) -> String {
        func one<Value>(of values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &random)] }
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        func part(_ range: ClosedRange<Int>) -> String { two(Int.random(in: range, using: &random)) }
        guard one(of: [true, false]) else {
            return UnixTime(seconds: Int64.random(in: UnixTime.secondsRange, using: &random)).iso8601
        }
        let year = one(of: ["0000", "0004", "1900", "2000", "2023", "2024", "2025", "2100", "9999"])
        return "\(year)-\(part(0...13))-\(one(of: [part(1...28), part(28...32)]))T\(part(0...24)):\(part(0...60)):"
            + "\(part(0...60))Z"
    }

    /// One character more, one less, or another.
    private static func mutated(_ text: String, using random: inout SeededGenerator) -> String {
        var characters = Array(text)
        let place = Int.random(in: 0..<characters.count, using: &random)
        let other = Array("0123456789-:TZtz. +/é\n\u{0}")[Int.random(in: 0..<23, using: &random)]
        switch Int.random(in: 0..<4, using: &random) {
        case 0: characters[place] = other
        case 1: characters.insert(other, at: place)
        case 2: characters.remove(at: place)
        default: characters.swapAt(place, Int.random(in: 0..<characters.count, using: &random))
        }
        return String(characters)
    }

    @Test func theScriptsAndSwiftTakeTheSameForMoments() async throws {
        var random = SeededGenerator(seed: 7)
        var texts = Self.edges
        for _ in 0..<20_000 {
            let text = Self.random(using: &random)
            texts.append(Bool.random(using: &random) ? text : Self.mutated(text, using: &random))
        }
        let results = try await results(of: "tools().moment(text) and 'm' .. tools().moment(text) or '-'", for: texts)
        try #require(results.count == texts.count)
        var moments = 0
        for (text, result) in zip(texts, results) {
            let moment = UnixTime(iso8601: text)
            if moment != nil { moments += 1 }
            if result != (moment == nil ? "-" : "m" + text) || moment.map({ $0.iso8601 != text }) == true {
                Issue.record("\(text.debugDescription): \(result), \(String(describing: moment))")
            }
        }
        #expect((6000...16_000).contains(moments), "one-sided: \(moments)")
    }

    // MARK: Numbers

    @Test func wholeNumbersAreThoseThatADoubleHolds() async throws {
        let numbers: [(String, String)] = [
            ("0", "0"), ("5", "5"), ("-5", "-5"), ("007", "7"), ("+5", "5"), (" 7 ", "7"), ("1e3", "1000"),
            ("5.0", "5"), ("0x10", "16"), ("9007199254740991", "9007199254740991"),
            ("9007199254740992", "9007199254740992"), ("-9007199254740992", "-9007199254740992"),
        ]
        let others = [
            "9007199254740994", "-9007199254740994", "9223372036854775807", "-9223372036854775808",
            "99999999999999999999", "1e300", "-1e300", "1e999", "nan", "-nan", "NaN", "inf", "-inf", "Infinity", "1.5",
            "-0.5", "", " ", "many", "--1", "1-", "7 8", "1_000", "1,5", "٣", "true", "nil", "{}",
        ]
        let results = try await results(
            of: "whole_number(text) and string.format('%.0f', whole_number(text)) or '-'",
            for: numbers.map(\.0) + others)
        try #require(results.count == numbers.count + others.count)
        for ((text, expected), result) in zip(numbers, results) { #expect(result == expected, "\(text)") }
        for (text, result) in zip(others, results.dropFirst(numbers.count)) { #expect(result == "-", "\(text)") }
    }

    /// A field that is missing comes as false, and an error as a table.
    @Test(arguments: ["false", "{}", "{ err = 'WRONGTYPE' }", "true"])
    func whatIsNoTextIsNoNumber(value: String) async throws {
        #expect(try await results(of: "whole_number(\(value)) and 'a number' or '-'", for: [""]) == ["-"])
    }

    @Test func aMomentThatIsMissingIsNone() async throws {
        #expect(try await results(of: "tools().moment(false) and 'a moment' or '-'", for: [""]) == ["-"])
    }
}
