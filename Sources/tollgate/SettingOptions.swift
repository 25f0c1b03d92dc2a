import ArgumentParser
import Logging
import TollgateServer

/// Settings on the command line, which win over the environment, `.env` and `tollgate.yaml`.
struct SettingOptions: ParsableArguments {
    @Option(help: "The YAML file with plans and settings (default: ./tollgate.yaml where there is one).")
    var config: String?

    @Option(help: "The address of the public port.")
    var host: String?

    @Option(help: "The public port; 0 takes a free one.")
    var port: String?

    @Option(help: "The address of the admin port.")
    var adminHost: String?

    @Option(help: "The admin port; 0 takes a free one.")
    var adminPort: String?

    @Option(help: "Where Redis is: redis://, redis-sentinel://, redis-cluster:// (with TLS rediss…) or unix://.")
    var redisURL: String?

    @Option(help: "Event loops (default: one a core).")
    var threads: String?

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("Any other setting by its environment name.", valueName: "NAME=VALUE"))
    var others: [String] = []

    func validate() throws {
        for other in others where !other.contains("=") {
            throw ValidationError("--set takes NAME=VALUE, such as --set FRONTEND_URL=https://app.example.com")
        }
    }

    /// By environment name.
    var values: [String: String] {
        var values: [String: String] = [:]
        for other in others {
            let parts = other.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            values[String(parts[0])] = String(parts[1])
        }
        let named = [
            "TOLLGATE_CONFIG": config, "TOLLGATE_HOST": host, "TOLLGATE_PORT": port, "TOLLGATE_ADMIN_HOST": adminHost,
            "TOLLGATE_ADMIN_PORT": adminPort, "REDIS_URL": redisURL, "TOLLGATE_THREADS": threads,
            "TOLLGATE_LOG_LEVEL": logLevel,
        ]
        return values.merging(named.compactMapValues(\.self)) { _, named in named }
    }
}
