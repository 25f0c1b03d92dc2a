import Configuration
import Synchronization

/// Reads settings out of the layers and collects what is wrong with them.
struct SettingReader {
    /// A value, and where it stands.
    struct Found: Sendable {
        let setting: Setting
        let text: String
        let place: ConfigurationLayer.Place
    }

    private let layers: [ConfigurationLayer]
    private let answers = AnsweringLayers()
    private let reader: ConfigReader

    private let isComplete: Bool

    private(set) var problems: [ConfigurationProblem]

    /// What a worker starts with all the same, and what does not do what whoever wrote it believes.
    private(set) var warnings: [ConfigurationProblem]

    /// - Parameters:
    ///   - layers: Highest precedence first. At least one.
    ///   - problems: What is already known to be wrong.
    ///   - warnings: What is already known to be of little use.
    ///   - isComplete: Every file could be read, so what is not found is really missing.
    init(
        layers: [ConfigurationLayer], problems: [ConfigurationProblem] = [], warnings: [ConfigurationProblem] = [],
        isComplete: Bool = true
    ) {
        self.layers = layers
        self.problems = problems
        self.warnings = warnings
        self.isComplete = isComplete
        reader = ConfigReader(providers: layers.map(\.provider), accessReporter: answers)
    }

    /// The value of the highest layer that has one.
    func find(_ setting: Setting) -> Found? {
        let key = ConfigKey(setting.keyComponents)
        guard let text = reader.string(forKey: key, isSecret: setting.isSecret), let layer = answers.layer(of: key)
        else { return nil }
        return Found(setting: setting, text: text, place: layers[layer].place(setting))
    }

    /// Notes that `found` is wrong.
    ///
    /// - Parameter message: A clause that follows the value, such as "is not a URL".
    mutating func report(_ found: Found, _ message: String, remedy: String) {
        problems.append(problem(found, found.shownText + " " + message, remedy: remedy))
    }

    /// Notes that `found` works by halves.
    ///
    /// - Parameter message: A clause that follows the name of the setting, such as "is set, and …".
    mutating func warn(_ found: Found, _ message: String, remedy: String) {
        guard isComplete else { return }
        let name = found.place.text.contains(found.setting.name) ? "it" : found.place.key ?? found.setting.name
        warnings.append(ConfigurationProblem(place: found.place.text, message: "\(name) \(message)", remedy: remedy))
    }

    /// Notes that what stands at `place` does not do what it seems to.
    mutating func warn(_ place: String, _ message: String, remedy: String) {
        guard isComplete else { return }
        warnings.append(ConfigurationProblem(place: place, message: message, remedy: remedy))
    }

    private func problem(_ found: Found, _ message: String, remedy: String) -> ConfigurationProblem {
        let subject = found.place.key.map { "\($0): " } ?? ""
        return ConfigurationProblem(place: found.place.text, message: subject + message, remedy: remedy)
    }

    mutating func report(_ place: String, _ message: String, remedy: String) {
        problems.append(ConfigurationProblem(place: place, message: message, remedy: remedy))
    }

    /// Notes that a setting is needed and nowhere given.
    mutating func reportMissing(_ setting: Setting, _ message: String, remedy: String) {
        guard isComplete else { return }
        report("environment variable \(setting.name)", message, remedy: remedy)
    }
}

extension SettingReader.Found {
    /// The value may be printed: it is no secret and does not look like one.
    var isPrintable: Bool { !setting.isSecret && !Secret.isLikely(text) && text.count <= 100 }

    fileprivate var shownText: String { isPrintable ? "'\(text)'" : "the value" }
}

/// Remembers which layer answered for which key; swift-configuration tells it only to a reporter.
private final class AnsweringLayers: AccessReporter {
    private let layers = Mutex<[[String]: Int]>([:])

    /// The providers are asked in order, up to the one that has a value.
    func report(_ event: AccessEvent) {
        guard case .success(.some) = event.result else { return }
        layers.withLock { $0[event.metadata.key.components] = event.providerResults.count - 1 }
    }

    func layer(of key: ConfigKey) -> Int? { layers.withLock { $0[key.components] } }
}
