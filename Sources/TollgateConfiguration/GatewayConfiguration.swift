package import Logging
import StripeBilling
package import TollgateCore

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

    /// Whether the admin port takes tokens, beside health and metrics.
    package let adminTakesTokens: Bool

    /// Event loops that are wanted. ``eventLoopCount`` says how many there are.
    package let threads: Int

    /// The least severe log line that is written.
    package let logLevel: Logger.Level

    /// How log lines look. Nil: as standard error is a terminal or not.
    package let logFormat: LogFormat?

    /// What is written of requests.
    package let accessLog: AccessLogSettings

    /// How long the gateway still serves after SIGTERM while it says that it is not ready.
    package let drainSeconds: Int

    /// The largest request body that an endpoint reads.
    package let bodyLimitBytes: Int

    /// The largest head of a request.
    package let headerLimitBytes: Int

    /// How long a connection may be idle.
    package let idleTimeoutSeconds: Int

    /// Clients that may be connected at once. Nil: as many as the descriptors allow.
    package let maximumConnections: Int?

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

    /// What customers are told that a plan costs, by its name.
    package let shownPrices: [String: PlanPrice]

    /// Where alerts are sent. Nil when none are.
    package let alerts: AlertSettings?

    /// The customers' own page.
    package let dashboard: DashboardSettings

    /// What is done with which requests. Empty when `tollgate.yaml` has no routes.
    package let routes: RouteTable

    /// The proxies whose word on where a request comes from is believed.
    package let trustedProxies: NetworkList

    /// The absolute path of the PEM file of the authorities that upstreams' certificates may be signed by. Nil: the
    /// system's authorities.
    package let upstreamAuthorityFile: String?

    /// The share of an upstream's connections that one client can hold, in percent.
    package let upstreamClientSharePercent: Int

    /// `tollgate.yaml`, as it was when it was read.
    package let file: ConfigurationFile

    /// What works by halves: a worker starts with it, and something does not happen that whoever wrote it expects.
    package let warnings: [ConfigurationProblem]

    private let origin: Origin
    /// All of it, as it is shown.
    package let lines: [ConfigurationLine]

    /// What every setting but the routes says, by its name.
    private let texts: [String: Secret]

    /// What it was loaded from.
    private struct Origin: Sendable {
        let flags: [String: String]
        let environment: [String: String]
        let workingDirectory: String
        let defaultFile: String
    }

    /// Reads and checks the whole configuration.
    ///
    /// Precedence: flags, environment, `.env`, `tollgate.yaml`, defaults.
    ///
    /// - Parameters:
    ///   - flags: What the command line gave, by the environment's names of the settings.
    ///   - environment: The environment of the process.
    ///   - workingDirectory: Where `.env` and `tollgate.yaml` are, and what other relative paths start from.
    ///   - defaultFile: The path of the YAML file where no setting names one. It need not exist, and may come later.
    /// - Throws: All problems at once.
    package static func load(
        flags: [String: String], environment: [String: String], workingDirectory: String,
        defaultFile: String = "tollgate.yaml"
    ) throws(InvalidConfiguration) -> GatewayConfiguration {
        try load(
            Origin(
                flags: flags, environment: environment, workingDirectory: workingDirectory, defaultFile: defaultFile))
    }

    /// The configuration as it would be if the worker were started now, in the same way.
    ///
    /// - Throws: All problems at once.
    package func reloaded() throws(InvalidConfiguration) -> GatewayConfiguration { try Self.load(origin) }

    private static func load(_ origin: Origin) throws(InvalidConfiguration) -> GatewayConfiguration {
        let sources = ConfigurationSources(
            flags: origin.flags, environment: origin.environment, workingDirectory: origin.workingDirectory,
            defaultFile: origin.defaultFile)
        var reader = SettingReader(
            layers: sources.layers, problems: sources.problems, warnings: sources.warnings,
            isComplete: sources.isComplete)
        let configuration = GatewayConfiguration(&reader, sources, origin)
        guard reader.problems.isEmpty else { throw InvalidConfiguration(problems: reader.problems) }
        return configuration
    }

    /// Reads every setting, so that every problem is found. What stands in for a wrong value is never used.
    private init(_ reader: inout SettingReader, _ sources: ConfigurationSources, _ origin: Origin) {
        self.origin = origin
        file = sources.file
        texts = reader.texts()
        host = reader.host(.host)
        port = reader.integer(.port)
        adminHost = reader.host(.adminHost)
        adminPort = reader.integer(.adminPort)
        adminTakesTokens = reader.adminTakesTokens(host: adminHost)
        threads = reader.integer(.threads)
        logLevel = reader.logLevel()
        logFormat = reader.logFormat()
        accessLog = AccessLogSettings(&reader)
        drainSeconds = reader.integer(.drainSeconds)
        bodyLimitBytes = reader.integer(.bodyLimitBytes)
        headerLimitBytes = reader.integer(.headerLimitBytes)
        idleTimeoutSeconds = reader.integer(.idleTimeoutSeconds)
        maximumConnections = reader.optionalInteger(.maximumConnections)
        trustedProxies = reader.networks(.trustedProxies)
        upstreamClientSharePercent = reader.integer(.upstreamClientSharePercent)
        upstreamAuthorityFile = reader.readableFile(.upstreamAuthorityFile, in: origin.workingDirectory)
        redis = RedisSettings(&reader, workingDirectory: origin.workingDirectory)
        clerk = ClerkSettings(&reader)
        plans = sources.plans?.table ?? .standard
        stripe = StripeSettings(&reader, plans: plans, planPrices: sources.prices)
        shownPrices = sources.plans == nil ? PlanPrice.standard : sources.shownPrices
        alerts = AlertSettings(&reader)
        dashboard = DashboardSettings(&reader, publishableKey: clerk.publishableKey)
        frontendURL = reader.frontendURL()
        cors = CORSSettings(&reader)
        reader.warnOfHalfASale(stripe, frontendURL: frontendURL)
        if let section = sources.plans { reader.warnOfPlans(plans, stripe, at: section.place) }
        routes = sources.routes.table
        lines =
            reader.settingLines() + plans.lines(prices: stripe.prices, place: sources.plans?.place ?? "default")
            + routes.lines(places: sources.routes.places)
        if port != 0, port == adminPort, let found = reader.find(.adminPort) {
            reader.report(found, "is the public port too", remedy: "Give the admin port a number of its own.")
        }
        warnings = reader.warnings
    }
}

extension GatewayConfiguration {
    /// What a worker shows that was started with this, and has taken over the routes and plans of `later`.
    package func lines(afterReloading later: GatewayConfiguration) -> [ConfigurationLine] {
        let settings = Set(Setting.all.map(\.name))
        return lines.filter { settings.contains($0.name) } + later.lines.filter { !settings.contains($0.name) }
    }

    /// The names of the settings that differ from those of `earlier`: what a worker takes over only when it is started again.
    /// Routes and plans are not among them.
    func changes(since earlier: GatewayConfiguration) -> [String] {
        Setting.all.map(\.name).filter { texts[$0] != earlier.texts[$0] }
    }
}

extension GatewayConfiguration: CustomStringConvertible, CustomReflectable {
    /// What is in force and where it comes from, one `NAME = value (source)` per line. Secrets are shown as `set`.
    package func describe() -> [String] { lines.map(\.description) }

    package var description: String { describe().joined(separator: "\n") }

    /// Without the secrets, which `dump` would print otherwise.
    package var customMirror: Mirror { Mirror(self, unlabeledChildren: describe()) }
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

    fileprivate func texts() -> [String: Secret] {
        let found = Setting.all.compactMap(find)
        return Dictionary(uniqueKeysWithValues: found.map { ($0.setting.name, Secret($0.text)) })
    }

    /// Every setting as `tollgate check-config` shows it.
    fileprivate func settingLines() -> [ConfigurationLine] {
        Setting.all.map { setting in
            let found = find(setting)
            return ConfigurationLine(
                setting.name, found.map { $0.isPrintable ? $0.text : "set" }, place: found?.place.text)
        }
    }
}

extension PlanTable {
    fileprivate func lines(prices: PriceTable, place: String) -> [ConfigurationLine] {
        plans.map { plan in
            let period = plan.period == .subscription ? "period of the subscription" : "month"
            let ids = prices.prices(ofPlan: plan.name)
            let sale = ids.isEmpty ? "" : ", sold by \(ids.joined(separator: " "))"
            return ConfigurationLine(
                "plans.\(plan.name)", "\(plan.quota) a \(period), \(plan.ratePerMinute) a minute\(sale)", place: place)
        }
    }
}

extension SettingReader {
    /// Whoever reaches the port could do everything.
    fileprivate mutating func adminTakesTokens(host: String) -> Bool {
        guard let found = find(.adminAuthentication), found.text == "none" else {
            if let found = find(.adminAuthentication), found.text != "token" {
                report(found, "is neither token nor none", remedy: "Give one of the two.")
            }
            return true
        }
        if host != "localhost", host != "::1", !host.hasPrefix("127.") {
            report(
                found, "is none, and the admin port listens on \(host)",
                remedy: "Set TOLLGATE_ADMIN_HOST=127.0.0.1, or let the admin port take tokens.")
        }
        return false
    }
}
