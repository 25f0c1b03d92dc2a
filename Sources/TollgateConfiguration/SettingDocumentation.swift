extension Setting {
    /// The settings as a Markdown table, for the reference (Reference/Settings.md).
    package static func markdownTable() -> String {
        let header = [
            "| environment | `tollgate.yaml` | default | values | what it does |",
            "|---|---|---|---|---|",
        ]
        return (header + all.map(\.markdownRow)).joined(separator: "\n") + "\n"
    }

    private var markdownRow: String {
        let path = yamlPath.map { "`\($0.joined(separator: "."))`" } ?? "–"
        let cells = ["`\(name)`", path, defaultText.map(Self.defaultCell) ?? "–", valuesText, summary]
        return "| " + cells.joined(separator: " | ") + " |"
    }

    /// Values stand in code style, sentences do not.
    private static func defaultCell(_ text: String) -> String { text.contains(" ") ? text : "`\(text)`" }

    /// The values that are accepted, in a few words.
    var valuesText: String {
        let form =
            switch kind {
            case .text: "text"
            case .publicKey: "PEM"
            case .url: "URL"
            case .origin: "http(s) origin"
            case .list: "comma-separated list"
            case .file: "path"
            case .choice(let choices): choices.joined(separator: ", ")
            case .integer(let range): "\(range.lowerBound) to \(range.upperBound)"
            }
        return isSecret ? form + ", secret" : form
    }
}
