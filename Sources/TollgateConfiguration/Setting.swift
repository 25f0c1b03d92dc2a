/// One thing that can be configured, under one name in every place it can be given.
///
/// The environment's name is the one that is written down; flag, YAML key and swift-configuration's key follow from it,
/// so that they can never drift apart: `TOLLGATE_ADMIN_PORT` is `--admin-port` and `admin: {port: …}`.
package struct Setting: Sendable, Hashable {
    /// What a value looks like.
    package enum Kind: Sendable, Hashable {
        case text
        case publicKey
        case url
        case origin
        case list
        case file
        case choice([String])
        case integer(ClosedRange<Int>)
    }

    /// The name of the environment variable.
    package let name: String

    package let kind: Kind

    /// The default as the documentation shows it. Nil when there is none.
    let defaultText: String?

    /// The value is never printed.
    let isSecret: Bool

    /// What it does: one sentence for the documentation.
    let summary: String

    package init(
        _ name: String, _ kind: Kind = .text, default defaultText: String? = nil, isSecret: Bool = false,
        _ summary: String
    ) {
        self.name = name
        self.kind = kind
        self.defaultText = defaultText
        self.isSecret = isSecret
        self.summary = summary
    }
}

extension Setting {
    /// The settings that stand together in one YAML mapping.
    private static let groups: Set<String> = ["admin", "upstream", "redis", "clerk", "stripe", "cors", "alert"]

    private var words: [String] { name.lowercased().split(separator: "_").map(String.init) }

    /// The words of the name without our own prefix, which only the environment needs.
    private var ownWords: [String] { words.first == "tollgate" ? Array(words.dropFirst()) : words }

    /// The key in swift-configuration, whose environment provider turns it into ``name`` again.
    var keyComponents: [String] { words }

    /// Those with an option of their own on the command line. All others are given by `--set NAME=VALUE`.
    package static let withOption: Set<String> = [
        "TOLLGATE_CONFIG", "TOLLGATE_HOST", "TOLLGATE_PORT", "TOLLGATE_ADMIN_HOST", "TOLLGATE_ADMIN_PORT", "REDIS_URL",
        "TOLLGATE_THREADS", "TOLLGATE_LOG_LEVEL",
    ]

    /// What gives it on the command line, such as `--admin-port` or `--set CLERK_ISSUER`.
    package var flag: String {
        Self.withOption.contains(name) ? "--" + ownWords.joined(separator: "-") : "--set \(name)"
    }

    /// Where the setting stands in `tollgate.yaml`. Nil for the one that says where that file is.
    package var yamlPath: [String]? {
        if self == .configurationFile { return nil }
        guard let group = ownWords.first, Self.groups.contains(group) else { return [Self.camelCase(ownWords)] }
        return [group, Self.camelCase(ownWords.dropFirst())]
    }

    private static func camelCase(_ words: some Collection<String>) -> String {
        (words.first ?? "") + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }
}
