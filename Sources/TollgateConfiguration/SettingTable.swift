import Logging
import NIOCore
import StripeBilling

/// Every setting there is. Loading, the reference and the hints for misspelt keys are all made from this list.
extension Setting {
    // The gateway itself.

    package static let configurationFile = Setting(
        "TOLLGATE_CONFIG", .file, default: "./tollgate.yaml if it exists", "The YAML file to read.")
    package static let host = Setting(
        "TOLLGATE_HOST", default: "0.0.0.0", "The address of the public port.")
    package static let port = Setting(
        "TOLLGATE_PORT", .integer(0...65_535), default: "8080", "The public port; 0 takes any free one.")
    package static let adminHost = Setting(
        "TOLLGATE_ADMIN_HOST", default: "127.0.0.1", "The address of the admin port.")
    package static let adminPort = Setting(
        "TOLLGATE_ADMIN_PORT", .integer(0...65_535), default: "9090",
        "The admin port with metrics and health; 0 takes any free one.")
    package static let adminAuthentication = Setting(
        "TOLLGATE_ADMIN_AUTH", .choice(["token", "none"]), default: "token",
        "Who may use the admin port beside health and metrics: `token`, or `none` for all who reach it, on loopback only."
    )
    package static let threads = Setting(
        "TOLLGATE_THREADS", .integer(1...256), default: "number of cores",
        "Event loops, each with a thread; at most two for each core.")
    package static let logLevel = Setting(
        "TOLLGATE_LOG_LEVEL", .choice(Logger.Level.allCases.map(\.rawValue)), default: "info",
        "The least severe log line that is written.")
    package static let logFormat = Setting(
        "TOLLGATE_LOG_FORMAT", .choice(LogFormat.allCases.map(\.rawValue)),
        default: "text on a terminal, json elsewhere",
        "How log lines look: for people, or one JSON object each.")
    package static let accessLog = Setting(
        "TOLLGATE_ACCESS_LOG", .choice(["on", "off"]), default: "on",
        "Whether each request on the public port has a line on standard output.")
    static let accessLogSample = Setting(
        "TOLLGATE_ACCESS_LOG_SAMPLE", .integer(1...1_000_000), default: "1",
        "Of so many answers below 400 one has a line in the access log; all others have theirs.")
    package static let drainSeconds = Setting(
        "TOLLGATE_DRAIN_SECONDS", .integer(0...300), default: "2",
        "Seconds after SIGTERM of serving while not ready, for the load balancer to notice.")
    package static let bodyLimitBytes = Setting(
        "TOLLGATE_BODY_LIMIT_BYTES", .integer(1024...16_777_216), default: "65536",
        "The largest request body that an endpoint reads.")
    package static let headerLimitBytes = Setting(
        "TOLLGATE_HEADER_LIMIT_BYTES", .integer(1024...1_048_576), default: "32768",
        "The largest head of a request.")
    package static let idleTimeoutSeconds = Setting(
        "TOLLGATE_IDLE_TIMEOUT_SECONDS", .integer(1...3600), default: "60",
        "Seconds until an idle connection is closed.")
    package static let maximumConnections = Setting(
        "TOLLGATE_MAX_CONNECTIONS", .integer(1...1_000_000),
        default: "half of the open files that are allowed, at most 65536",
        "Clients that may be connected at once; less when there are not enough descriptors.")

    package static let trustedProxies = Setting(
        "TOLLGATE_TRUSTED_PROXIES", .list,
        "Addresses and networks (`10.0.0.0/8`) of the proxies before Tollgate whose `X-Forwarded-*` is believed.")
    package static let upstreamAuthorityFile = Setting(
        "TOLLGATE_UPSTREAM_CA_FILE", .file,
        "PEM file of the authorities trusted for `https://` upstreams, if not the system's.")
    package static let upstreamClientSharePercent = Setting(
        "TOLLGATE_UPSTREAM_CLIENT_SHARE", .integer(1...100), default: "50",
        "Percent of an upstream's connections that one client address can hold; 100 sets no limit.")

    // Redis.

    package static let redisURL = Setting(
        "REDIS_URL", .url, isSecret: true,
        "`redis://[user:password@]host[:port][/database]`, `rediss://…`, `unix:///path[?db=n]`, "
            + "`redis-sentinel://[user:password@]host[:port],…/primary[/database]`, or "
            + "`redis-cluster://[user:password@]host[:port],…`. Required.")
    static let redisPasswordFile = Setting(
        "REDIS_PASSWORD_FILE", .file,
        "File with the password of Redis, in place of one in `REDIS_URL`. Read again at each login, so it may be "
            + "rotated.")
    static let redisSentinelUsername = Setting(
        "REDIS_SENTINEL_USERNAME", .text, "The ACL user at the sentinels, where their login is not that of Redis.")
    static let redisSentinelPassword = Setting(
        "REDIS_SENTINEL_PASSWORD", .text, isSecret: true,
        "The password at the sentinels, where their login is not that of Redis.")
    package static let redisAuthorityFile = Setting(
        "REDIS_CA_FILE", .file, "PEM file of the authority that signed Redis' certificate, for `rediss://`.")
    package static let redisCertificateFile = Setting(
        "REDIS_CERT_FILE", .file, "PEM file of our certificate, for a Redis that asks for one.")
    static let redisKeyFile = Setting(
        "REDIS_KEY_FILE", .file, "PEM file of that certificate's private key.")
    static let redisTimeoutMilliseconds = Setting(
        "REDIS_TIMEOUT_MS", .integer(10...60_000), default: "200", "Milliseconds that Redis has for an answer.")
    static let admissionGroup = Setting(
        "TOLLGATE_ADMISSION_GROUP", .integer(1...1024), default: "256",
        "Requests of one caller and route that Redis decides on in one call, at most; 1 asks for each by itself.")

    // Clerk.

    package static let clerkSecretKey = Setting(
        "CLERK_SECRET_KEY", isSecret: true,
        "Clerk's secret key, `sk_live_…` or `sk_test_…`. Without it Clerk is not told what users have bought.")
    static let clerkPublishableKey = Setting(
        "CLERK_PUBLISHABLE_KEY", .text, "Clerk's publishable key; tells the issuer and where the signing keys are.")
    static let clerkJWTKey = Setting(
        "CLERK_JWT_KEY", .publicKey, "Clerk's public key in PEM: tokens are verified without asking Clerk.")
    package static let clerkJWKSURL = Setting(
        "CLERK_JWKS_URL", .url, "Where the signing keys are, if not where the publishable key says.")
    static let clerkIssuer = Setting(
        "CLERK_ISSUER", .url, "The `iss` of every token, if not the one the publishable key tells.")
    static let clerkAPIURL = Setting(
        "CLERK_API_URL", .url, default: "https://api.clerk.com", "Clerk's Backend API.")
    static let clerkAuthorizedParties = Setting(
        "CLERK_AUTHORIZED_PARTIES", .list, "Origins that may have asked for a token (`azp`). Empty: any.")
    package static let clerkAudiences = Setting(
        "CLERK_AUDIENCES", .list, "Audiences, one of which a token must name (`aud`). Empty: not compared.")
    package static let clerkScriptURL = Setting(
        "CLERK_JS_URL", .url,
        "Where the dashboard loads ClerkJS from, if not from the host that the publishable key names.")

    // Stripe.

    package static let stripeSecretKey = Setting(
        "STRIPE_SECRET_KEY", isSecret: true, "Stripe's secret or restricted key. Without it checkouts answer 501.")
    package static let stripePriceID = Setting(
        "STRIPE_PRICE_ID", .text,
        "The price of the plan `paid`, `price_…`. Other plans have their `priceId` in `tollgate.yaml`.")
    package static let stripeWebhookSecret = Setting(
        "STRIPE_WEBHOOK_SECRET", .list, isSecret: true,
        "The webhook endpoint's signing secret, `whsec_…`; several during a rotation.")
    static let stripeAPIURL = Setting(
        "STRIPE_API_URL", .url, default: "https://api.stripe.com", "Stripe's API.")
    static let stripeUnknownPrice = Setting(
        "STRIPE_UNKNOWN_PRICE", .choice(UnknownPriceRule.allCases.map(\.rawValue)), default: "free",
        "What becomes of a plan whose subscription is changed to a price that sells none: `free`, or `keep` the plan.")
    static let stripeOnRefund = Setting(
        "STRIPE_ON_REFUND", .choice(ReturnedPaymentRule.allCases.map(\.rawValue)), default: "keep",
        """
        What becomes of a plan whose payment is refunded in full, or lost in a dispute: `keep` it, or `end` it until a \
        later period is paid for.
        """)
    static let stripePastDueGraceDays = Setting(
        "STRIPE_PAST_DUE_GRACE_DAYS", .integer(0...90), default: "7",
        "Days that a customer whose payment failed keeps the plan.")

    // Alerts.

    package static let alertURL = Setting(
        "TOLLGATE_ALERT_URL", .url, isSecret: true,
        "Where alerts are sent, as signed webhooks.")
    package static let alertSecret = Setting(
        "TOLLGATE_ALERT_SECRET", .text, isSecret: true,
        "What alerts are signed with: `whsec_` and the base64 of 24 to 64 random bytes.")
    package static let alertSMTPURL = Setting(
        "TOLLGATE_ALERT_SMTP_URL", .url, isSecret: true,
        "Where alerts are mailed, and through which server: "
            + "`smtp://[user:password@]host[:port]?from=address&to=address,…`, or `smtps://…`.")
    package static let alertAllowPrivate = Setting(
        "TOLLGATE_ALERT_ALLOW_PRIVATE", .choice(["true", "false"]), default: "false",
        "Whether alerts may be sent to this machine and to private networks.")

    // Browsers.

    package static let dashboard = Setting(
        "TOLLGATE_DASHBOARD", .choice(["on", "off"]), default: "on",
        "Whether `/dashboard` is the customers' own page. Off: the path is free for a route.")

    package static let frontendURL = Setting(
        "FRONTEND_URL", .origin, "The front end's origin: where checkouts return to, and always allowed by CORS.")
    static let corsOrigins = Setting(
        "CORS_ORIGINS", .list, "Further origins that browsers may call from.")
    static let corsOriginPatterns = Setting(
        "CORS_ORIGIN_PATTERNS", .list,
        "Origins where `*` stands for one run of `a-z0-9-`, such as `https://*.preview.example.com`.")

    /// In the order of the documentation.
    package static let all: [Setting] = [
        .configurationFile, .host, .port, .adminHost, .adminPort, .adminAuthentication, .threads, .logLevel, .logFormat,
        .accessLog,
        .accessLogSample, .drainSeconds, .bodyLimitBytes,
        .headerLimitBytes, .idleTimeoutSeconds, .maximumConnections, .trustedProxies, .upstreamAuthorityFile,
        .upstreamClientSharePercent,
        .redisURL, .redisPasswordFile, .redisSentinelUsername, .redisSentinelPassword, .redisAuthorityFile,
        .redisCertificateFile, .redisKeyFile, .redisTimeoutMilliseconds,
        .admissionGroup,
        .clerkSecretKey, .clerkPublishableKey, .clerkJWTKey, .clerkJWKSURL, .clerkIssuer, .clerkAPIURL,
        .clerkAuthorizedParties, .clerkAudiences, .clerkScriptURL,
        .stripeSecretKey, .stripePriceID, .stripeWebhookSecret, .stripeAPIURL, .stripeUnknownPrice,
        .stripeOnRefund, .stripePastDueGraceDays,
        .alertURL, .alertSecret, .alertSMTPURL, .alertAllowPrivate,
        .dashboard, .frontendURL, .corsOrigins, .corsOriginPatterns,
    ]

    /// The value that holds when nothing else is given. Nil when there is none, or it is no constant.
    var defaultValue: String? {
        switch self {
        case .configurationFile, .maximumConnections, .logFormat: nil
        case .threads: String(min(System.coreCount, 256))
        default: defaultText
        }
    }
}
