import FoundationEssentials
import TollgateConfiguration

/// Loads configurations out of directories that exist for one call.
enum ConfigurationFixture {
    /// The least that a gateway needs.
    static let minimal = ["REDIS_URL": "redis://localhost:6379", "CLERK_PUBLISHABLE_KEY": publishableKey]

    /// `pk_test_` and base64 of `clerk.example.com$`.
    static let publishableKey = "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k"
    static let livePublishableKey = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"

    static let pem = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA
        -----END PUBLIC KEY-----
        """

    /// Every setting but the configuration file's, with values that go together. `redis.pem` has to exist.
    static let complete = [
        "TOLLGATE_HOST": "127.0.0.1", "TOLLGATE_PORT": "1001", "TOLLGATE_ADMIN_HOST": "::1",
        "TOLLGATE_ADMIN_PORT": "1002", "TOLLGATE_ADMIN_AUTH": "none", "TOLLGATE_THREADS": "3",
        "TOLLGATE_LOG_LEVEL": "debug",
        "TOLLGATE_LOG_FORMAT": "json", "TOLLGATE_ACCESS_LOG": "off", "TOLLGATE_ACCESS_LOG_SAMPLE": "10",
        "TOLLGATE_DRAIN_SECONDS": "7", "TOLLGATE_BODY_LIMIT_BYTES": "2048", "TOLLGATE_HEADER_LIMIT_BYTES": "4096",
        "TOLLGATE_IDLE_TIMEOUT_SECONDS": "9", "TOLLGATE_MAX_CONNECTIONS": "500",
        "TOLLGATE_TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8::1",
        "TOLLGATE_UPSTREAM_CA_FILE": "redis.pem", "TOLLGATE_UPSTREAM_CLIENT_SHARE": "25",
        "REDIS_URL": "rediss-sentinel://gate@redis.example.com:26380/mymaster/1",
        "REDIS_PASSWORD_FILE": "redis.pem",
        "REDIS_SENTINEL_USERNAME": "watcher", "REDIS_SENTINEL_PASSWORD": "hunter2",
        "REDIS_CA_FILE": "redis.pem", "REDIS_CERT_FILE": "redis.pem", "REDIS_KEY_FILE": "redis.pem",
        "REDIS_TIMEOUT_MS": "111", "TOLLGATE_ADMISSION_GROUP": "32", "CLERK_SECRET_KEY": "sk_test_hunter2",
        "CLERK_PUBLISHABLE_KEY": publishableKey, "CLERK_JWT_KEY": pem.replacing("\n", with: "\\n"),
        "CLERK_JWKS_URL": "https://keys.example.com/jwks.json", "CLERK_ISSUER": "https://issuer.example.com",
        "CLERK_API_URL": "https://clerk.example.com/",
        "CLERK_AUTHORIZED_PARTIES": "https://a.example, https://b.example", "CLERK_AUDIENCES": "one,two",
        "CLERK_JS_URL": "https://assets.example.com/clerk.js", "TOLLGATE_DASHBOARD": "off",
        "STRIPE_SECRET_KEY": "rk_live_hunter2", "STRIPE_PRICE_ID": "price_1",
        "STRIPE_WEBHOOK_SECRET": "whsec_hunter2, whsec_hunter3", "STRIPE_API_URL": "http://127.0.0.1:4010",
        "STRIPE_UNKNOWN_PRICE": "keep", "STRIPE_ON_REFUND": "end", "STRIPE_PAST_DUE_GRACE_DAYS": "3",
        "TOLLGATE_ALERT_URL": "https://hooks.example.com/hunter2",
        "TOLLGATE_ALERT_SECRET": "whsec_aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg==",
        "TOLLGATE_ALERT_SMTP_URL": "smtps://gate:hunter2@mail.example.com?from=a@example.com&to=b@example.com",
        "TOLLGATE_ALERT_ALLOW_PRIVATE": "true",
        "FRONTEND_URL": "https://App.Example.com:443/",
        "CORS_ORIGINS": "capacitor://localhost,http://localhost:5173",
        "CORS_ORIGIN_PATTERNS": "https://*.preview.example.com",
    ]

    static func load(
        flags: [String: String] = [:], environment: [String: String] = minimal, files: [String: String] = [:]
    ) throws -> GatewayConfiguration {
        try withDirectory(files) { directory in
            try GatewayConfiguration.load(flags: flags, environment: environment, workingDirectory: directory)
        }
    }

    /// What `load` complains about. Empty when it does not.
    static func problems(
        flags: [String: String] = [:], environment: [String: String] = minimal, files: [String: String] = [:]
    ) throws -> [ConfigurationProblem] {
        try withDirectory(files) { directory in
            problems(flags: flags, environment: environment, directory: directory)
        }
    }

    /// As ``problems(flags:environment:files:)``, in a directory that there is.
    static func problems(
        flags: [String: String] = [:], environment: [String: String] = minimal, directory: String
    ) -> [ConfigurationProblem] {
        do throws(InvalidConfiguration) {
            _ = try GatewayConfiguration.load(flags: flags, environment: environment, workingDirectory: directory)
            return []
        } catch {
            return error.problems
        }
    }

    /// As ``problems(flags:environment:files:)``, for the minimal environment and a few more variables.
    static func problems(with variables: [String: String]) throws -> [ConfigurationProblem] {
        try problems(environment: minimal.merging(variables) { $1 })
    }

    /// As ``problems(flags:environment:files:)``, for one `tollgate.yaml`.
    static func problems(yaml: String) throws -> [ConfigurationProblem] {
        try problems(files: ["tollgate.yaml": yaml])
    }

    static func withDirectory<Result>(
        _ files: [String: String], _ body: (String) throws -> Result
    ) throws -> Result {
        let manager = FileManager.default
        let directory = manager.temporaryDirectory.appending(path: "tollgate-\(UUID().uuidString)")
        try manager.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? manager.removeItem(at: directory) }
        for (name, text) in files {
            try Data(text.utf8).write(to: directory.appending(path: name))
        }
        return try body(directory.path)
    }
}

extension Setting {
    /// A `tollgate.yaml` with nothing but this setting. Empty when it cannot stand there.
    func yaml(_ value: String) -> String {
        guard let path = yamlPath else { return "" }
        return path.count == 2 ? "\(path[0]):\n  \(path[1]): '\(value)'\n" : "\(path[0]): '\(value)'\n"
    }
}

extension [ConfigurationProblem] {
    var places: [String] { map(\.place) }
}
