/// How log lines look.
package enum LogFormat: String, Sendable, Hashable, CaseIterable {
    /// For people.
    case text
    /// One object a line, for programs.
    case json
}

/// What is written of requests.
package struct AccessLogSettings: Sendable, Hashable {
    package let isOn: Bool

    /// Of so many answers below 400 one has a line.
    package let sample: Int

    init(_ reader: inout SettingReader) {
        isOn = reader.isOn(.accessLog)
        sample = reader.integer(.accessLogSample)
    }
}

extension SettingReader {
    /// Nil: whatever standard error is decides.
    mutating func logFormat() -> LogFormat? {
        guard let found = find(.logFormat) else { return nil }
        if let format = LogFormat(rawValue: found.text.lowercased()) { return format }
        report(found, "is neither text nor json", remedy: "Give one of the two.")
        return nil
    }
}
