extension StringProtocol {
    /// Without the blanks and line ends at both ends.
    var trimmed: String {
        let start = drop(while: \.isWhitespace)
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(start[...last])
    }

    /// The parts between commas, trimmed, without the empty ones.
    var commaSeparated: [String] {
        split(separator: ",").map(\.trimmed).filter { !$0.isEmpty }
    }
}
