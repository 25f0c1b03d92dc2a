/// What a server answers to a command: a code, and words for people or about what it can do.
package struct SMTPReply: Sendable, Hashable {
    /// Of three digits, from 200 to 599.
    package let code: Int

    /// What stands behind the code in each line.
    package let lines: [String]

    package init(code: Int, lines: [String]) { (self.code, self.lines) = (code, lines) }

    /// Longer words are cut.
    private static let maximumTextLength = 2000

    /// Its words in one line without control characters.
    package var text: String {
        let words = lines.joined(separator: " ").unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
                ? " " : Character(scalar)
        }
        return String(String(words).prefix(Self.maximumTextLength))
    }
}

/// Reads replies, however they are cut into pieces.
package struct SMTPReplyReader: Sendable {
    /// A line, its end included. RFC 5321 has 512, and servers go beyond it.
    package static let maximumLineBytes = 2000
    package static let maximumLines = 100

    /// What comes is no reply. In words, as a clause.
    package struct Malformed: Error, Sendable, Hashable {
        package let reason: String
    }

    private var line: [UInt8] = []
    private var code: Int?
    private var lines: [String] = []

    package init() {}

    /// Whether a reply has begun and not ended.
    package var isWithinReply: Bool { code != nil || !line.isEmpty }

    /// - Returns: The reply that ends with `byte`, if one does.
    package mutating func read(_ byte: UInt8) throws(Malformed) -> SMTPReply? {
        guard line.count < Self.maximumLineBytes else { throw Malformed(reason: "it sent a line without an end") }
        guard byte == UInt8(ascii: "\n") else {
            line.append(byte)
            return nil
        }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        defer { line.removeAll(keepingCapacity: true) }
        return try readLine()
    }

    private mutating func readLine() throws(Malformed) -> SMTPReply? {
        guard let found = Self.code(in: line), code == nil || code == found else {
            throw Malformed(reason: "what it sent is no reply of a mail server")
        }
        guard lines.count < Self.maximumLines else { throw Malformed(reason: "it sent a reply without an end") }
        lines.append(String(decoding: line.dropFirst(4), as: UTF8.self))
        if line.count > 3, line[3] == UInt8(ascii: "-") {
            code = found
            return nil
        }
        defer { (code, lines) = (nil, []) }
        return SMTPReply(code: found, lines: lines)
    }

    /// Three digits, and a blank, a hyphen or nothing behind them.
    private static func code(in line: [UInt8]) -> Int? {
        guard line.count >= 3, line.count == 3 || line[3] == UInt8(ascii: " ") || line[3] == UInt8(ascii: "-"),
            line.prefix(3).allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        let code = line.prefix(3).reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        return (200...599).contains(code) ? code : nil
    }
}
