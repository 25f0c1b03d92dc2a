import TestSupport
import Testing

@testable import TollgateServer

/// Who may read what the admin port tells.
@Suite struct AdminGuardTests {
    @Test func namesThatPublicDNSCanMoveAreRefused() {
        let guardian = AdminGuard(configuredHost: "admin.internal")
        for host in [
            "127.0.0.1", "127.0.0.1:9090", "[::1]", "[::1]:9090", "localhost", "localhost:9090", "LOCALHOST",
            "tollgate", "worker-1:9090", "admin.internal", "Admin.Internal:9090", "10.0.0.7",
        ] {
            #expect(guardian.isAllowed(host: host), "\(host)")
        }
        for host in [
            "", "evil.example", "evil.example:9090", "localhost.evil.example", "127.0.0.1.evil.example",
            "evil.example:admin.internal", "admin.internal.evil.example", "a b", "127.0.0.1,evil.example",
            "[::1].evil.example",
        ] {
            #expect(!guardian.isAllowed(host: host), "\(host)")
        }
    }

    @Test func foreignNamesAndPagesReadNothing() async throws {
        try await withObservedGateways { gateways in
            let paths = ["/overview.json", "/explain/user_abc", "/overview", "/", "/nothing"]
            for path in paths {
                let foreign = try await gateways.get(path, headers: [("Host", "evil.example")])
                #expect(foreign.status == 403, "\(path)")
                #expect(foreign.member("code") == "host-not-allowed", "\(path)")
                #expect(foreign.member("message")?.contains("TOLLGATE_ADMIN_HOST") == true, "\(path)")
                let embedded = try await gateways.get(
                    path,
                    headers: [
                        ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty"),
                    ])
                #expect(embedded.status == 403, "\(path)")
                #expect(embedded.member("code") == "cross-site-request", "\(path)")
                let framed = try await gateways.get(
                    path,
                    headers: [
                        ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe"),
                    ])
                #expect(framed.status == 403, "\(path)")
            }
            for path in ["/livez", "/readyz", "/metrics"] {
                let answer = try await gateways.get(path, headers: [("Host", "worker-1.tollgate.internal")])
                #expect(answer.status == 200, "\(path)")
            }
        }
    }

    @Test func whoOpensThePageSeesIt() async throws {
        try await withObservedGateways { gateways in
            let link = [
                ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"),
            ]
            let page = try await gateways.get("/overview", headers: link)
            #expect(page.status == 200)
            let root = try await gateways.get("/")
            #expect(root.status == 303)
            #expect(root.headers["location"] == "/overview")
            let own = try await gateways.get("/overview.json", headers: [("Sec-Fetch-Site", "same-origin")])
            #expect(own.status == 200)
        }
    }

    @Test func thePageLoadsNothingFromElsewhere() async throws {
        try await withObservedGateways { gateways in
            let page = try await gateways.get("/overview")
            #expect(page.headers["content-type"] == "text/html; charset=utf-8")
            let policy = page.headers["content-security-policy"]
            #expect(policy?.contains("default-src 'none'; script-src 'self'; ") == true)
            #expect(page.headers["x-content-type-options"] == "nosniff")
            let tag = try #require(page.headers["etag"])
            let known = try await gateways.get("/overview", headers: [("If-None-Match", tag)])
            #expect(known.status == 304)
            // Every file that the page or one of its modules names is served beside it.
            var names = Self.names(in: page.body)
            #expect(names.contains("overview.js"))
            var seen: Set<String> = []
            while let name = names.popFirst() {
                guard seen.insert(name).inserted else { continue }
                let file = try await gateways.get("/overview/\(name)")
                #expect(file.status == 200, "\(name)")
                #expect(file.headers["x-content-type-options"] == "nosniff", "\(name)")
                if name.hasSuffix(".js") { names.formUnion(Self.names(in: file.body)) }
            }
        }
    }

    /// `"/overview/name"` in a page, `"./name"` in a module.
    private static func names(in text: String) -> Set<String> {
        Set(
            text.split(separator: "\"").compactMap { quoted in
                for prefix in ["/overview/", "./"] where quoted.hasPrefix(prefix) {
                    return String(quoted.dropFirst(prefix.count))
                }
                return nil
            })
    }
}
