import Logging
import TollgateCore

/// Everything that can be configured, checked as a whole: who holds one knows that the gateway can start with it.
package struct GatewayConfiguration: Sendable {
    /// The address of the public port: the data plane and the endpoints for the front end.
    package let host: String

    /// The public port. 0 takes any free one.
    package let port: Int

    /// The address of the admin port: metrics and health.
    package let adminHost: String

    /// The admin port. 0 takes any free one.
    package let adminPort: Int

    /// Event loops.
    package let threads: Int

    /// The least severe log line that is written.
    package let logLevel: Logger.Level

    /// How long the gateway still serves after SIGTERM while it says that it is not ready.
    package let drainSeconds: Int

    /// The largest request body that an endpoint reads.
    package let bodyLimitBytes: Int

    /// The largest head of a request.
    package let headerLimitBytes: Int

    /// How long a connection may be idle.
    package let idleTimeoutSeconds: Int

    /// How to reach Redis.
    package let redis: RedisSettings

    /// Whose tokens are accepted.
    package let clerk: ClerkSettings

    /// How to sell plans.
    package let stripe: StripeSettings

    /// The front end's origin, such as `https://app.example.com`, without a slash at its end. Nil when none is set.
    package let frontendURL: String?

    /// Which other origins may call from a browser.
    package let cors: CORSSettings

    /// What is sold.
    package let plans: PlanTable

    private let lines: [String]

    /// Reads and checks the whole configuration.
    ///
    /// Precedence: flags, environment, `.env`, `tollgate.yaml`, defaults.
    ///
    /// - Parameters:
    ///   - flags: What the command line gave, by the environment's names of the settings.
    ///   - environment: The environment of the process.
    ///   - workingDirectory: Where `.env` and `tollgate.yaml` are, and what other relative paths start from.
    /// - Throws: All problems at once.
    package static func load(
        flags: [String: String], environment: [String: String], workingDirectory: String
    ) throws(InvalidConfiguration) -> GatewayConfiguration {
        let sources = ConfigurationSources(
            flags: flags, environment: environment, workingDirectory: workingDirectory)
        var reader = SettingReader(
            layers: sources.layers, problems: sources.problems, isComplete: sources.isComplete)
        let configuration = GatewayConfiguration(&reader, sources, workingDirectory: workingDirectory)
        guard reader.problems.isEmpty else { throw InvalidConfiguration(problems: reader.problems) }
        return configuration
    }

    /// Reads every setting, so that every problem is found. What stands in for a wrong value is never used.
    private init(_ reader: inout SettingReader, _ sources: ConfigurationSources, workingDirectory: String) {
        host = reader.host(.host)
        port = reader.integer(.port)
        adminHost = reader.host(.adminHost)
        adminPort = reader.integer(.adminPort)
        threads = reader.integer(.threads)
        logLevel = reader.logLevel()
        drainSeconds = reader.integer(.drainSeconds)
        bodyLimitBytes = reader.integer(.bodyLimitBytes)
        headerLimitBytes = reader.integer(.headerLimitBytes)
        idleTimeoutSeconds = reader.integer(.idleTimeoutSeconds)
        redis = RedisSettings(&reader, workingDirectory: workingDirectory)
        clerk = ClerkSettings(&reader)
        plans = sources.plans?.table ?? .standard
        stripe = StripeSettings(&reader, plans: plans, planPrices: sources.prices)
        frontendURL = reader.frontendURL()
        cors = CORSSettings(&reader)
        lines = reader.settingLines() + plans.lines(place: sources.plans?.place ?? "default")
        if port != 0, port == adminPort, let found = reader.find(.adminPort) {
            reader.report(found, "is the public port too", remedy: "Give the admin port a number of its own.")
        }
    }
}

extension GatewayConfiguration: CustomStringConvertible, CustomReflectable {
    /// What is in force and where it comes from, one `NAME = value (source)` per line. Secrets are shown as `set`.
    package func describe() -> [String] { lines }

    package var description: String { lines.joined(separator: "\n") }

    /// Without the secrets, which `dump` would print otherwise.
    package var customMirror: Mirror { Mirror(self, unlabeledChildren: lines) }
}

extension SettingReader {
    fileprivate mutating func logLevel() -> Logger.Level {
        guard let found = find(.logLevel) else { return .info }
        if let level = Logger.Level(rawValue: found.text.lowercased()) { return level }
        let levels = Logger.Level.allCases.map(\.rawValue)
        report(found, "is no log level", remedy: Suggestion.remedy(for: found.text, among: levels))
        return .info
    }

    fileprivate mutating func frontendURL() -> String? {
        guard let found = find(.frontendURL), let url = origin(of: found.text, in: found) else { return nil }
        if !url.isHTTP {
            report(found, "is no web address", remedy: "Begin it with https:// or http://.")
        }
        return url.origin
    }

    /// Every setting as `tollgate check-config` shows it.
    fileprivate func settingLines() -> [String] {
        Setting.all.map { setting in
            guard let found = find(setting) else { return "\(setting.name) is not set" }
            return "\(setting.name) = \(found.isPrintable ? found.text : "set") (\(found.place.text))"
        }
    }
}

extension PlanTable {
    fileprivate func lines(place: String) -> [String] {
        plans.map { "plans.\($0.name) = \($0.quota) a month, \($0.ratePerMinute) a minute (\(place))" }
    }
}
