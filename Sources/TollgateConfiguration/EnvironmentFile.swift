/// A `.env` file, read with the line of every value.
///
/// swift-configuration's own reader of such files knows no quotes, so no value of several lines, and skips what it does
/// not understand. Here:
/// - `NAME=value`, optionally after `export`; blanks around name and value do not count
/// - `#` begins a comment at the start of a line and after a blank
/// - `'…'` is taken as it stands; in `"…"` the escapes `\n \r \t \\ \" \$` are replaced; both may span lines
/// - nothing is expanded: `$` is a character like any other
struct EnvironmentFile {
    struct Entry: Hashable {
        let name: String
        let value: String
        let line: Int
    }

    /// A line that cannot be read.
    struct Malformed: Error, Hashable {
        let line: Int
        let message: String
    }

    private(set) var entries: [Entry] = []
    private(set) var malformed: [Malformed] = []

    private var rest: Substring
    private var line = 1

    init(parsing text: String) {
        rest = text.hasPrefix("\u{FEFF}") ? text.dropFirst() : text[...]
        while !rest.isEmpty {
            do throws(Malformed) {
                if let entry = try takeEntry() { entries.append(entry) }
                try takeEndOfLine()
            } catch {
                malformed.append(error)
                _ = take { !$0.isNewline }
                takeNewline()
            }
        }
    }

    /// Nil on a line without an assignment.
    private mutating func takeEntry() throws(Malformed) -> Entry? {
        skipBlanks()
        guard let first = rest.first, first != "#", !first.isNewline else { return nil }
        let start = line
        var name = take(while: Self.isNameCharacter)
        skipBlanks()
        if name == "export", rest.first != "=" {
            name = take(while: Self.isNameCharacter)
            skipBlanks()
        }
        guard !name.isEmpty, rest.first == "=" else {
            throw Malformed(line: start, message: "the line is not of the form NAME=value")
        }
        rest.removeFirst()
        skipBlanks()
        let value =
            switch rest.first {
            case "\"": try takeQuoted("\"", escapes: Self.escapes)
            case "'": try takeQuoted("'", escapes: [:])
            default: takeUnquoted()
            }
        return Entry(name: name, value: value, line: start)
    }

    /// Up to the end of the line or a comment, without the blanks before it.
    private mutating func takeUnquoted() -> String {
        var value = ""
        while let character = rest.first, !character.isNewline {
            if character == "#", value.isEmpty || value.last?.isWhitespace == true { break }
            value.append(rest.removeFirst())
        }
        return value.trimmed
    }

    private mutating func takeQuoted(
        _ quote: Character, escapes: [Character: Character]
    ) throws(Malformed) -> String {
        let (opening, openingLine) = (rest, line)
        rest.removeFirst()
        var value = ""
        while let character = rest.popFirst() {
            if character == quote { return value }
            if character.isNewline {
                line += 1
                value.append("\n")
            } else if character == "\\", let next = rest.first, let replacement = escapes[next] {
                rest.removeFirst()
                value.append(replacement)
            } else {
                value.append(character)
            }
        }
        // Go on after the line of the quote: its partner is missing, and the lines below have their own problems.
        (rest, line) = (opening, openingLine)
        throw Malformed(line: openingLine, message: "the quote \(quote) is never closed")
    }

    private mutating func takeEndOfLine() throws(Malformed) {
        skipBlanks()
        if rest.first == "#" { _ = take { !$0.isNewline } }
        guard rest.isEmpty || rest.first?.isNewline == true else {
            throw Malformed(line: line, message: "something follows the closing quote")
        }
        takeNewline()
    }

    private mutating func takeNewline() {
        if rest.popFirst() != nil { line += 1 }
    }

    private mutating func skipBlanks() {
        _ = take { $0.isWhitespace && !$0.isNewline }
    }

    private mutating func take(while condition: (Character) -> Bool) -> String {
        let taken = rest.prefix(while: condition)
        rest = rest[taken.endIndex...]
        return String(taken)
    }

    /// What stands for what after a backslash in double quotes. Any other backslash is one.
    private static let escapes: [Character: Character] = [
        "n": "\n", "r": "\r", "t": "\t", "\\": "\\", "\"": "\"", "$": "$",
    ]

    private static func isNameCharacter(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || "_.-".contains(character))
    }
}
