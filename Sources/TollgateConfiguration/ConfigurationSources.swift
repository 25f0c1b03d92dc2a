import FoundationEssentials
import TollgateCore

/// The layers that settings come from, highest first, with everything that was wrong with the files themselves.
struct ConfigurationSources {
    /// Flags, environment, `.env`, `tollgate.yaml`, defaults.
    private(set) var layers: [ConfigurationLayer]

    /// From `tollgate.yaml`, with the place of the section.
    private(set) var plans: (table: PlanTable, place: String)?

    /// From `tollgate.yaml`: `price_…` by the name of the plan that it sells.
    private(set) var prices: [String: [String]] = [:]

    /// From `tollgate.yaml`: what customers are told that a plan costs, by its name.
    private(set) var shownPrices: [String: PlanPrice] = [:]

    /// From `tollgate.yaml`, with the place of each route.
    private(set) var routes: (table: RouteTable, places: [String]) = (.empty, [])

    /// The file itself.
    private(set) var file: ConfigurationFile

    private(set) var problems: [ConfigurationProblem] = []

    /// Variables that nobody reads and that look like settings.
    private(set) var warnings: [ConfigurationProblem] = []

    /// False when a file could not be read at all, so that a setting that seems missing may well stand in it.
    private(set) var isComplete = true

    /// - Parameter defaultFile: The YAML file where no setting names one; it need not exist.
    init(
        flags: [String: String], environment: [String: String], workingDirectory: String, defaultFile: String
    ) {
        layers = [.flags(flags), .environment(environment)]
        file = ConfigurationFile(path: "", identity: nil, hasContents: false)
        checkNames(of: flags)
        for name in environment.keys.sorted() where !(environment[name]?.trimmed.isEmpty ?? true) {
            warn(of: name, at: "environment variable \(name)")
        }
        readEnvironmentFile(in: workingDirectory)
        readYAMLFile(in: workingDirectory, orElse: defaultFile)
        layers.append(.defaults)
    }

    private mutating func checkNames(of flags: [String: String]) {
        let known = Setting.all.map(\.name)
        for name in flags.keys.sorted() where !known.contains(name) {
            problems.append(
                ConfigurationProblem(
                    place: "flag \(name)", message: "there is no such setting",
                    remedy: Suggestion.remedy(for: name, among: known)))
        }
    }

    private mutating func warn(of name: String, at place: String) {
        guard let finding = MisspeltNames.finding(about: name) else { return }
        warnings.append(ConfigurationProblem(place: place, message: finding.message, remedy: finding.remedy))
    }

    private mutating func readEnvironmentFile(in directory: String) {
        let name = ".env"
        guard let text = read(name, in: directory, isRequestedAt: nil) else { return }
        let file = EnvironmentFile(parsing: text)
        problems += file.malformed.map {
            ConfigurationProblem(
                place: "\(name):\($0.line)", message: $0.message,
                remedy: "Write NAME=value, NAME='value' or NAME=\"value\", with # before a comment.")
        }
        reportDuplicates(in: file, named: name)
        for entry in file.entries where !entry.value.trimmed.isEmpty {
            warn(of: entry.name, at: "\(name):\(entry.line)")
        }
        layers.append(.environmentFile(name: name, entries: file.entries))
    }

    /// Names that are not ours may stand in the file for other programs, as often as those like.
    private mutating func reportDuplicates(in file: EnvironmentFile, named name: String) {
        let known = Set(Setting.all.map(\.name))
        var firstLines: [String: Int] = [:]
        for entry in file.entries where known.contains(entry.name) {
            guard let firstLine = firstLines.updateValue(entry.line, forKey: entry.name) else { continue }
            problems.append(
                ConfigurationProblem(
                    place: "\(name):\(entry.line)",
                    message: "\(entry.name) is set again, after line \(firstLine)", remedy: "Keep one of them."))
        }
    }

    private mutating func readYAMLFile(in directory: String, orElse defaultFile: String) {
        let named = SettingReader(layers: layers).find(.configurationFile)
        let name = named?.text ?? defaultFile
        let path = absolutePath(name, in: directory)
        let identity = FileIdentity(path: path)
        let contents = read(name, in: directory, isRequestedAt: named?.place)
        file = ConfigurationFile(path: path, identity: identity, hasContents: contents?.trimmed.isEmpty == false)
        guard let text = contents else { return }
        take(YAMLFile(name: name, text: text))
    }

    private mutating func take(_ file: YAMLFile) {
        problems += file.problems
        isComplete = isComplete && file.isReadable
        plans = file.plans.map { ($0, "\(file.name):\(file.plansLine ?? 1)") }
        routes = (file.routes, file.routeLines.map { "\(file.name):\($0)" })
        prices = file.prices
        shownPrices = file.shownPrices
        layers.append(.yaml(file))
    }

    /// The text of a file. Nil when it is not there, which is only wrong if its path was given.
    private mutating func read(
        _ name: String, in directory: String, isRequestedAt place: ConfigurationLayer.Place?
    ) -> String? {
        let path = absolutePath(name, in: directory)
        if let contents = FileManager.default.contents(atPath: path) {
            if let text = String(validating: contents, as: UTF8.self) { return text }
            isComplete = false
            problems.append(
                ConfigurationProblem(place: name, message: "the file is not UTF-8", remedy: "Save it as UTF-8."))
        } else if place != nil || FileManager.default.fileExists(atPath: path) {
            isComplete = false
            problems.append(
                ConfigurationProblem(
                    place: place?.text ?? name, message: "the file \(Secret.quoted(name)) cannot be read",
                    remedy: "Give the path of a file that exists and that the gateway may read."))
        }
        return nil
    }
}

/// The path of a file that is named relative to a directory, or absolutely.
func absolutePath(_ name: String, in directory: String) -> String {
    name.hasPrefix("/") ? name : directory + "/" + name
}
