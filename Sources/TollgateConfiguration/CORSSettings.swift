/// Which origins besides the front end's may call from a browser.
package struct CORSSettings: Sendable, Hashable {
    /// Exact origins, as browsers write them.
    package let origins: [String]

    /// Origins in which one `*` stands for one run of `a-z`, `0-9` and `-`.
    package let originPatterns: [String]

    init(_ reader: inout SettingReader) {
        origins = reader.origins(.corsOrigins)
        originPatterns = reader.originPatterns()
    }
}

extension SettingReader {
    fileprivate mutating func originPatterns() -> [String] {
        guard let found = find(.corsOriginPatterns) else { return [] }
        for pattern in found.text.commaSeparated {
            let part = Found(setting: found.setting, text: pattern, place: found.place)
            guard let example = origin(of: pattern.replacing("*", with: "x"), in: part) else { continue }
            if example.origin.count != pattern.count {
                report(
                    part, "is not as browsers write it",
                    remedy: "Leave out the slash at the end and a port that the scheme implies.")
            }
            checkStar(in: part)
        }
        return found.text.commaSeparated.map { $0.lowercased() }
    }

    /// A star in the registered domain, or above it, would admit the sites of others: `https://*.com` matches them all.
    private mutating func checkStar(in pattern: Found) {
        let afterScheme = pattern.text.split(separator: "://", maxSplits: 1).last ?? ""
        let host = afterScheme.prefix { $0 != ":" && $0 != "/" }
        let stars = pattern.text.count { $0 == "*" }
        let safeStars = host.split(separator: ".").dropLast(2).joined().count { $0 == "*" }
        if stars != 1 || safeStars != 1 {
            report(
                pattern, "does not have one '*' below a domain of your own",
                remedy: "Put it before the last two parts of the host, such as https://*.preview.example.com.")
        }
    }
}
