/// The words of Prometheus' text exposition format 0.0.4.
enum PrometheusText {
    /// A metric's name: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
    static func name(_ text: String) -> String { sanitized(text, alsoAllowed: ":") }

    /// A label's name: `[a-zA-Z_][a-zA-Z0-9_]*`. `le` and `quantile` have a meaning of their own.
    static func labelName(_ text: String) -> String {
        let name = sanitized(text, alsoAllowed: "")
        return name == "le" || name == "quantile" ? name + "_" : name
    }

    /// `name="value"` for each dimension, in the order of the names. Of a name that comes twice the first one counts.
    static func labels(_ dimensions: [(String, String)]) -> String {
        let values = Dictionary(dimensions.map { (labelName($0.0), $0.1) }) { first, _ in first }
        return values.sorted { $0.key < $1.key }
            .map { "\($0.key)=\"\(escapedLabelValue($0.value))\"" }
            .joined(separator: ",")
    }

    /// In a label's value `\`, `"` and the end of a line are escaped.
    static func escapedLabelValue(_ text: String) -> String {
        escaped(text, ["\\": "\\\\", "\"": "\\\"", "\n": "\\n"])
    }

    /// In a help text only `\` and the end of a line are.
    static func escapedHelp(_ text: String) -> String { escaped(text, ["\\": "\\\\", "\n": "\\n"]) }

    /// A number; whole ones without a fraction.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return Int(exactly: value).map(String.init) ?? "\(value)"
    }

    private static func sanitized(_ text: String, alsoAllowed: String) -> String {
        let name = String(
            text.unicodeScalars.map { scalar in
                let isWord = scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                return isWord || scalar == "_" || alsoAllowed.unicodeScalars.contains(scalar)
                    ? Character(scalar) : "_"
            })
        return name.first.map { $0.isNumber } ?? true ? "_" + name : name
    }

    /// By scalars: a line end of two characters is one `Character`.
    private static func escaped(_ text: String, _ escapes: [Unicode.Scalar: String]) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            if let escape = escapes[scalar] { result += escape } else { result.unicodeScalars.append(scalar) }
        }
    }
}
