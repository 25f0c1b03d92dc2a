// swift-tools-version: 6.2
import PackageDescription

// The layers of Tollgate, lowest first. A target may only depend on targets of lower layers;
// Tests/ArchitectureTests reads the import lines and fails when that is broken.

/// Hygiene for every Swift target: unsafe constructs need the word `unsafe`, existentials the word `any`,
/// and a file sees only the members of modules it imports itself.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let jwtKit = Target.Dependency.product(name: "JWTKit", package: "jwt-kit")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// The files of the two pages: the customers' dashboard, and the operator's overview.
let webAssets = [
    "tollgate.css", "dom.js", "format.js",
    "dashboard.html", "api.js", "billing.js", "chart.js", "dashboard.js", "keydialogs.js", "keys.js", "notices.js",
    "poller.js", "session.js", "snippets.js", "usage.js",
    "overview.html", "actions.js", "adminapi.js", "alerts.js", "audit.js", "dialogs.js", "directory.js", "events.js",
    "explanation.js", "fleet.js", "keysearch.js", "outcome.js", "overview.js", "pages.js", "panels.js", "requests.js",
    "rows.js", "settings.js", "terms.js", "tokens.js", "usageexport.js", "userkeys.js",
]

let package = Package(
    name: "tollgate",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "tollgate", targets: ["tollgate"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.1.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.9.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.0"),
    ],
    targets: [
        // 0: system libraries and the pure domain
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"]), .brew(["hiredis"])]),
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
        .target(name: "TollgateCore", swiftSettings: strict),

        // 1: the only importers of the system libraries
        .target(name: "Hiredis", dependencies: ["CHiredis"], swiftSettings: strict),
        .target(name: "Libcrypto", dependencies: ["COpenSSL"], swiftSettings: strict),

        // 1: one JSON value, to read and to write
        .target(name: "JSONValue", swiftSettings: strict),

        // 1: percent-encoding of URLs and forms
        .target(name: "PercentCoding", swiftSettings: strict),

        // 1: addresses of names
        .target(name: "NameResolution", dependencies: [nioCore, nioPosix], swiftSettings: strict),

        // 1: why connections fail, in words
        .target(name: "ConnectionFailures", dependencies: [nioCore, nioPosix, nioSSL], swiftSettings: strict),

        // 2: Redis over SwiftNIO
        .target(
            name: "RedisClient",
            dependencies: [
                "ConnectionFailures", "Hiredis", "Libcrypto", "NameResolution", "PercentCoding", nioCore, nioPosix,
                nioSSL, logging,
            ],
            swiftSettings: strict),

        // 2: HTTP/1.1 messages as bytes
        .target(name: "HTTPWire", dependencies: [nioCore], swiftSettings: strict),

        // 2: calls of other companies' APIs
        .target(
            name: "OutboundCalls", dependencies: ["ConnectionFailures", httpClient, nioCore, logging],
            swiftSettings: strict),

        // 2: mail, sent to a server of the operator's
        .target(
            name: "SMTPClient", dependencies: ["ConnectionFailures", nioCore, nioPosix, nioSSL, nioTLS],
            swiftSettings: strict),

        // 3: the domain's ports, each implemented on its own
        .target(
            name: "TollgateStore",
            dependencies: [
                "TollgateCore", "RedisClient", "Hiredis", "JSONValue", "Libcrypto", "PercentCoding", nioCore,
            ],
            resources: [
                .embedInCode("Scripts/enqueue_alerts.lua"), .embedInCode("Scripts/claim_alerts.lua"),
                .embedInCode("Scripts/settle_alert.lua"),
                .embedInCode("Scripts/admit.lua"), .embedInCode("Scripts/change_operator_terms.lua"),
                .embedInCode("Scripts/begin_clerk_update.lua"), .embedInCode("Scripts/book_passes.lua"),
                .embedInCode("Scripts/hold_lease.lua"),
                .embedInCode("Scripts/claim_webhook.lua"),
                .embedInCode("Scripts/create_key.lua"), .embedInCode("Scripts/end_clerk_update.lua"),
                .embedInCode("Scripts/change_limit.lua"), .embedInCode("Scripts/end_key.lua"),
                .embedInCode("Scripts/revoke_credentials.lua"), .embedInCode("Scripts/rotate_credentials.lua"),
                .embedInCode("Scripts/give_back.lua"), .embedInCode("Scripts/keep_credentials.lua"),
                .embedInCode("Scripts/list_keys.lua"), .embedInCode("Scripts/list_users.lua"),
                .embedInCode("Scripts/read_time.lua"),
                .embedInCode("Scripts/read_usage.lua"), .embedInCode("Scripts/record_own_customer.lua"),
                .embedInCode("Scripts/renew_reservation.lua"),
                .embedInCode("Scripts/revoke_key.lua"), .embedInCode("Scripts/rotate_key.lua"),
                .embedInCode("Scripts/scan_users.lua"), .embedInCode("Scripts/settle_reservation.lua"),
                .embedInCode("Scripts/settle_webhook.lua"),
                .embedInCode("Scripts/values.lua"), .embedInCode("Scripts/write_purchases.lua"),
            ],
            swiftSettings: strict),
        .target(
            name: "ClerkAuth",
            dependencies: [
                "TollgateCore", "JSONValue", "PercentCoding", "Libcrypto", "OutboundCalls", jwtKit, httpClient, nioCore,
                nioHTTP1,
                logging,
            ],
            swiftSettings: strict),

        .target(
            name: "StripeBilling",
            dependencies: [
                "TollgateCore", "JSONValue", "PercentCoding", "Libcrypto", "OutboundCalls", httpClient, nioCore,
                nioHTTP1, logging,
            ],
            swiftSettings: strict),

        // Carries requests to upstreams; knows no Redis and no admission
        .target(
            name: "ReverseProxy",
            dependencies: [
                "ConnectionFailures", "HTTPWire", "NameResolution", nioCore, nioHTTP1, nioPosix, nioSSL, nioTLS,
            ],
            swiftSettings: strict),

        // 4: what an operator sets, read and checked as a whole
        .target(
            name: "TollgateConfiguration",
            dependencies: [
                "TollgateCore", "ClerkAuth", "StripeBilling", "RedisClient", "ReverseProxy", "SMTPClient",
                "PercentCoding", configuration, yams,
                lifecycle, nioCore, nioSSL, logging,
            ],
            swiftSettings: strict),

        // 4: a backend of swift-metrics that writes Prometheus' text format; knows nothing of Tollgate
        .target(name: "PrometheusMetrics", dependencies: [coreMetrics], swiftSettings: strict),

        // 5: requests that come from clients: connections, admission, and what is answered or carried on the event loop
        .target(
            name: "TollgateDataPlane",
            dependencies: [
                "TollgateCore", "TollgateStore", "PrometheusMetrics", "ReverseProxy", "HTTPWire", "JSONValue",
                "Libcrypto",
                hummingbird,
                hummingbirdCore, httpTypes, lifecycle, nioCore, nioPosix, nioHTTP1, nioHTTPTypes, logging,
                coreMetrics,
            ],
            swiftSettings: strict),

        // 6: the control plane, the admin port, the pages, and the one place where a worker is put together
        .target(
            name: "TollgateServer",
            dependencies: [
                "TollgateCore", "TollgateConfiguration", "PrometheusMetrics", "TollgateDataPlane", "TollgateStore",
                "ClerkAuth", "StripeBilling", "OutboundCalls", "ConnectionFailures", "RedisClient", "ReverseProxy",
                "SMTPClient", "JSONValue", "NameResolution", "PercentCoding",
                "Libcrypto", hummingbird, hummingbirdCore, httpTypes, lifecycle, unixSignals, httpClient, nioCore,
                nioPosix, nioHTTP1, nioSSL,
                nioTLS, logging, metrics, coreMetrics,
            ],
            resources: webAssets.map { .embedInCode("Web/Assets/\($0)") },
            swiftSettings: strict),

        // 7: offline stand-ins, and the command line with the one composition root
        .target(
            name: "TollgateDev",
            dependencies: [
                "TollgateCore", "TollgateStore", "JSONValue", "PercentCoding", "RedisClient", "Hiredis", httpClient,
                nioHTTP1,
                hummingbird, httpTypes,
                jwtKit, lifecycle, nioCore, nioPosix, logging,
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            resources: [.embedInCode("Identity/clerk_stand_in.js")],
            swiftSettings: strict),
        .executableTarget(
            name: "tollgate",
            dependencies: [
                "TollgateServer", "TollgateConfiguration", "TollgateDev", "TollgateStore", "TollgateCore", "JSONValue",
                "OutboundCalls", "StripeBilling", argumentParser,
                httpClient, nioHTTP1, lifecycle, unixSignals, nioCore, nioPosix, logging,
            ],
            swiftSettings: strict),

        // Tests; TestSupport is what several of them need
        .target(
            name: "TestSupport",
            dependencies: [
                "TollgateDev", "TollgateServer", "TollgateStore", "RedisClient", "TollgateCore", "JSONValue", "Hiredis",
                httpClient,
                lifecycle, nioCore, nioEmbedded, nioHTTP1, nioPosix, logging,
            ],
            path: "Tests/TestSupport",
            swiftSettings: strict),
        .testTarget(name: "ArchitectureTests", swiftSettings: strict),
        .testTarget(
            name: "ConnectionFailuresTests",
            dependencies: [
                "ConnectionFailures", "OutboundCalls", "TestSupport", httpClient, nioCore, nioPosix, nioSSL,
            ],
            swiftSettings: strict),
        .testTarget(name: "PercentCodingTests", dependencies: ["PercentCoding"], swiftSettings: strict),
        .testTarget(name: "JSONValueTests", dependencies: ["JSONValue"], swiftSettings: strict),
        .testTarget(name: "TollgateCoreTests", dependencies: ["TollgateCore"], swiftSettings: strict),
        .testTarget(name: "HiredisTests", dependencies: ["Hiredis", "Libcrypto"], swiftSettings: strict),
        .testTarget(
            name: "SMTPClientTests",
            dependencies: ["TestSupport", "SMTPClient", "JSONValue", "TollgateDev", nioCore, nioPosix, nioSSL],
            swiftSettings: strict),
        .testTarget(name: "HTTPWireTests", dependencies: ["HTTPWire", nioCore], swiftSettings: strict),
        .testTarget(
            name: "RedisClientTests",
            dependencies: [
                "TestSupport", "RedisClient", "Hiredis", "NameResolution", "TollgateDev", nioCore, nioPosix, logging,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "TollgateStoreTests",
            dependencies: [
                "TestSupport", "TollgateStore", "TollgateCore", "RedisClient", "Hiredis", "Libcrypto", "TollgateDev",
            ],
            exclude: ["PreviousRelease/README.md"],
            resources: ["admit", "give_back", "renew_reservation", "settle_reservation"].map {
                .embedInCode("PreviousRelease/\($0).lua")
            },
            swiftSettings: strict),
        .testTarget(
            name: "ClerkAuthTests",
            dependencies: [
                "TestSupport", "TollgateDev", "JSONValue", "ClerkAuth", "OutboundCalls", "TollgateCore", jwtKit,
                httpClient,
                nioCore,
                nioPosix,
                nioHTTP1, logging,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "StripeBillingTests",
            dependencies: [
                "TestSupport", "StripeBilling", "OutboundCalls", "TollgateCore", "Libcrypto", httpClient, nioCore,
                nioHTTP1, logging,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ReverseProxyTests",
            dependencies: [
                "NameResolution", "TestSupport", "ReverseProxy", "HTTPWire", nioCore, nioPosix, nioHTTP1, nioSSL,
                nioEmbedded,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "TollgateConfigurationTests",
            dependencies: [
                "TestSupport", "TollgateConfiguration", "TollgateCore", "ClerkAuth", "StripeBilling", "SMTPClient",
                logging,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "PrometheusMetricsTests", dependencies: ["PrometheusMetrics", coreMetrics], swiftSettings: strict),
        .testTarget(
            name: "TollgateDataPlaneTests",
            dependencies: [
                "TestSupport", "TollgateDataPlane", "PrometheusMetrics", "TollgateStore", "TollgateCore",
                "ReverseProxy",
                "HTTPWire", nioCore, nioEmbedded, metrics, coreMetrics, httpTypes, hummingbirdCore, logging,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "TollgateServerTests",
            dependencies: [
                "TestSupport", "TollgateServer", "TollgateDataPlane", "TollgateConfiguration", "PrometheusMetrics",
                "TollgateStore", "JSONValue",
                "TollgateCore", "RedisClient", "Hiredis", "ClerkAuth",
                "StripeBilling", "OutboundCalls", "HTTPWire", "NameResolution", "SMTPClient", nioCore, nioPosix,
                nioEmbedded, metrics, coreMetrics, httpTypes, logging,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "TollgateDevTests",
            dependencies: [
                "TestSupport", "TollgateDev", "JSONValue", "ClerkAuth", "TollgateCore", jwtKit, httpClient, hummingbird,
                httpTypes,
                nioCore, nioHTTP1, nioPosix, logging,
            ], swiftSettings: strict),
        .testTarget(
            name: "GatewayTests",
            dependencies: [
                "tollgate", "TestSupport", "TollgateDev", "TollgateServer", "TollgateDataPlane",
                "TollgateConfiguration", "TollgateStore",
                "StripeBilling", "Libcrypto", httpClient,
                "TollgateCore", "JSONValue", "RedisClient", "Hiredis",
                lifecycle, nioCore, nioPosix, logging,
            ],
            swiftSettings: strict),
    ]
)

// Built by `make fuzz` alone: it needs libFuzzer's instrumentation in everything that it is linked with.
if Context.environment["TOLLGATE_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "TollgateCore", "HTTPWire", "Hiredis", "ClerkAuth", "StripeBilling", "TollgateConfiguration",
                "TollgateDataPlane", nioCore,
            ],
            path: "Tests/Fuzz", exclude: ["Corpus", "run"], swiftSettings: strict))
}
