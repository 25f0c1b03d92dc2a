import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The doctor at Clerk's and Stripe's stand-ins, at upstreams and at certificates.
@Suite struct DoctorNeighbourTests {
    @Test func clerkAndStripeAreAsked() async throws {
        let identity = try DevelopmentIdentity.shared()
        try await withRedis { redis in
            try await withStandIns(identity: identity, time: SystemClock()) { stripe, _, urls in
                let settings = urls.merging(["REDIS_URL": redis.url]) { $1 }
                let without = try await examine(settings)
                #expect(without.finding("webhook")?.verdict == .fail, "\(without.text)")
                stripe.webhooks.url = "https://api.example.com/webhook/stripe"
                let report = try await examine(settings)
                for (code, section) in [
                    ("secret-key", .clerk), ("secret-key", .stripe), ("prices", .stripe), ("webhook", .stripe),
                    ("mode", .stripe), ("clerk-clock", .clock),
                ] as [(String, Finding.Section)] {
                    #expect(report.finding(code, in: section)?.verdict == .ok, "\(code): \(report.text)")
                }
                #expect(!report.text.contains("sk_test_market") && !report.text.contains("whsec_"))

                let key = try await examine(settings.merging(["STRIPE_SECRET_KEY": "sk_live_market"]) { $1 })
                #expect(key.finding("secret-key", in: .stripe)?.verdict == .fail, "\(key.text)")
                #expect(!key.text.contains("sk_live_market"))
            }
        }
    }

    @Test func keysOfClerksAreLoaded() async throws {
        let identity = try DevelopmentIdentity.shared()
        try await withRedis { redis in
            try await withStandIns(identity: identity, time: SystemClock()) { _, _, urls in
                let settings = ["REDIS_URL": redis.url, "CLERK_JWT_KEY": ""].merging(
                    urls.filter { $0.key.hasPrefix("CLERK") }
                ) { $1 }
                let report = try await examine(settings)
                #expect(report.finding("signing-keys")?.found.hasPrefix("1 at ") == true, "\(report.text)")
                #expect(report.finding("instance")?.verdict == .ok)
                let refused = try await examine(settings.merging(["CLERK_SECRET_KEY": "sk_live_wrong"]) { $1 })
                #expect(refused.finding("secret-key", in: .clerk)?.verdict == .fail, "\(refused.text)")
                #expect(refused.finding("signing-keys")?.verdict == .fail && !refused.text.contains("sk_live_wrong"))
            }
        }
    }

    @Test func upstreamsAreConnectedTo() async throws {
        let (port, upstream) = (try await Loopback.freePort(), try await Loopback.freePort())
        try await withTemporaryDirectory { directory in
            try await withRedis(in: directory) { redis in
                // Any server that listens will do.
                try """
                routes:
                  - { name: up, path: /up, upstreams: "http://127.0.0.1:\(redis.port)" }
                  - { name: down, path: /down, upstreams: "http://127.0.0.1:\(port)" }
                  - { name: tls, path: /tls, upstreams: "https://localhost:\(upstream)" }
                """.write(toFile: directory + "/tollgate.yaml", atomically: true, encoding: .utf8)
                let report = try await examine(
                    ["REDIS_URL": redis.url, "TOLLGATE_CONFIG": directory + "/tollgate.yaml"])
                let verdicts = report.findings.filter { $0.section == .upstreams }.map(\.verdict)
                #expect(verdicts == [.ok, .fail, .fail], "\(report.text)")
            }
        }
    }

    @Test(.redisHasTLS) func certificatesEndSoon() async throws {
        try await withTemporaryDirectory { directory in
            let process = try ChildProcess.start(
                "openssl",
                [
                    "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", directory + "/key", "-out", directory + "/crt",
                ])
            #expect(await process.wait() == .exited(0))
            let port = try await Loopback.freePort()
            let arguments = [
                "--tls-port", "\(port)", "--tls-cert-file", directory + "/crt", "--tls-key-file", directory + "/key",
                "--tls-ca-cert-file", directory + "/crt", "--tls-auth-clients", "no",
            ]
            try await withRedis(in: directory, extraArguments: arguments) { redis in
                let url = "rediss://localhost:\(port)"
                let report = try await examine(["REDIS_URL": url, "REDIS_CA_FILE": directory + "/crt"])
                let certificates = report.findings.filter { $0.code == "certificate" }
                #expect(certificates.map(\.verdict) == [.warn, .warn], "\(report.text)")
                #expect(certificates.contains { $0.found.hasPrefix("Redis at localhost:\(port)") })
                #expect(report.finding("encryption")?.found == "TLS" && report.finding("admissions")?.verdict == .ok)

                let untrusted = try await examine(["REDIS_URL": url])
                #expect(untrusted.finding("encryption")?.remedy?.contains("REDIS_CA_FILE") == true, "\(untrusted.text)")
                // Without TLS at the port for TLS.
                let plain = try await examine(["REDIS_URL": "redis://localhost:\(port)"])
                #expect(plain.finding("encryption")?.remedy == "Begin REDIS_URL with rediss://.", "\(plain.text)")
            }
        }
    }
}
