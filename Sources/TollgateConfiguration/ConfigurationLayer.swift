import Configuration

/// One source of settings in the order of precedence: its values for swift-configuration, and where each one stands.
struct ConfigurationLayer: Sendable {
    /// Where a value stands, and what the setting is called there if the place does not already say so.
    struct Place: Sendable, Hashable {
        let text: String
        let key: String?

        init(_ text: String, key: String? = nil) {
            self.text = text
            self.key = key
        }
    }

    let provider: any ConfigProvider
    let place: @Sendable (Setting) -> Place

    /// The command line.
    static func flags(_ values: [String: String]) -> Self {
        Self(provider: InMemoryProvider(name: "flags", settings: values)) { Place("flag \($0.flag)") }
    }

    /// The environment of the process.
    static func environment(_ variables: [String: String]) -> Self {
        Self(provider: EnvironmentVariablesProvider(settings: variables)) { Place("environment variable \($0.name)") }
    }

    /// A `.env` file.
    static func environmentFile(name: String, entries: [EnvironmentFile.Entry]) -> Self {
        let byName = Dictionary(entries.map { ($0.name, $0) }) { first, _ in first }
        return Self(provider: EnvironmentVariablesProvider(settings: byName.mapValues(\.value))) { setting in
            Place("\(name):\(byName[setting.name]?.line ?? 1)", key: setting.name)
        }
    }

    /// The scalars of `tollgate.yaml`.
    static func yaml(_ file: YAMLFile) -> Self {
        let (name, values) = (file.name, file.values)
        return Self(provider: InMemoryProvider(name: name, settings: values.mapValues(\.text))) { setting in
            Place("\(name):\(values[setting.name]?.line ?? 1)", key: setting.yamlPath?.joined(separator: "."))
        }
    }

    /// What holds when nothing is given.
    static let defaults = Self(
        provider: InMemoryProvider(
            name: "defaults",
            settings: Dictionary(
                uniqueKeysWithValues: Setting.all.compactMap { setting in
                    setting.defaultValue.map { (setting.name, $0) }
                }))
    ) { _ in Place("default") }
}

extension Dictionary<String, String> {
    /// Only what is set, without blanks around it. An empty value counts as not given, in every layer: Docker Compose
    /// and the like pass a variable on as empty when it is not set.
    fileprivate var given: [String: String] {
        mapValues(\.trimmed).filter { !$0.value.isEmpty }
    }
}

extension InMemoryProvider {
    /// - Parameter settings: By the name of the setting.
    fileprivate init(name: String, settings: [String: String]) {
        let given = settings.given
        let pairs = Setting.all.compactMap { setting in
            given[setting.name].map { text in
                (AbsoluteConfigKey(setting.keyComponents), ConfigValue(.string(text), isSecret: setting.isSecret))
            }
        }
        self.init(name: name, values: Dictionary(uniqueKeysWithValues: pairs))
    }
}

extension EnvironmentVariablesProvider {
    /// - Parameter settings: By the name of the variable.
    fileprivate init(settings: [String: String]) {
        self.init(
            environmentVariables: settings.given,
            secretsSpecifier: .specific(Set(Setting.all.filter(\.isSecret).map(\.name))))
    }
}
