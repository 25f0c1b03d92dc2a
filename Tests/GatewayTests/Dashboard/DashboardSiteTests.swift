import TestSupport
import Testing

/// `/dashboard` as files: how they are served, not what they look like. That is for a browser to tell.
@Suite struct DashboardSiteTests {
    /// Clerk's frontend API at clerk.example.com.
    private static let clerk = ["CLERK_PUBLISHABLE_KEY": "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k"]

    @Test func thePageTrustsItsOwnOriginAndClerks() async throws {
        try await withLocalGateway(settings: Self.clerk) { gateway in
            let page = try await HTTP.get("/dashboard", port: gateway.port)
            #expect(page.status == 200 && page.headers["content-type"] == "text/html; charset=utf-8")
            let policy = try #require(page.headers["content-security-policy"])
            #expect(policy.contains("script-src 'self' https://clerk.example.com;"))
            #expect(policy.contains("connect-src 'self' https://clerk.example.com;"))
            #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
            #expect(!policy.contains("unsafe") && !policy.contains("*"))
            #expect(page.headers["x-content-type-options"] == "nosniff")
            #expect(page.headers["referrer-policy"] == "no-referrer")
            #expect(page.body.contains(#"content="pk_test_Y2xlcmsuZXhhbXBsZS5jb20k""#))
            #expect(
                page.body.contains(
                    "https://clerk.example.com/npm/@clerk/clerk-js@5/dist/clerk.headless.browser.js"))
            #expect(!page.body.contains("{{"), "every placeholder has its value")
        }
    }

    @Test func whatThePageLoadsIsThere() async throws {
        try await withLocalGateway(settings: Self.clerk) { gateway in
            let page = try await HTTP.get("/dashboard", port: gateway.port)
            let names = page.body.split(separator: "\"").filter { $0.hasPrefix("/dashboard/") }
            #expect(names.count >= 2, "a style sheet and a script at least")
            var loaded = Set(names.map(String.init))
            var waiting = Array(loaded)
            var bytes = page.body.utf8.count
            while let name = waiting.popLast() {
                let file = try await HTTP.get(name, port: gateway.port)
                #expect(file.status == 200, "\(name)")
                #expect(file.headers["x-content-type-options"] == "nosniff")
                bytes += file.body.utf8.count
                for module in imports(of: file.body) where loaded.insert("/dashboard/\(module)").inserted {
                    waiting.append("/dashboard/\(module)")
                }
            }
            #expect(loaded.count >= 5)
            #expect(bytes < 100_000)
        }
    }

    /// The modules that a script imports: `from "./name.js"`.
    private func imports(of script: String) -> [Substring] {
        script.split(separator: "from \"./").dropFirst().compactMap { $0.split(separator: "\"").first }
    }

    @Test func filesThatTheBrowserHasAreNotSentAgain() async throws {
        try await withLocalGateway(settings: Self.clerk) { gateway in
            for path in ["/dashboard", "/dashboard/tollgate.css"] {
                let tag = try #require(try await HTTP.get(path, port: gateway.port).headers["etag"])
                for known in [tag, "W/\(tag)", "\"other\", \(tag)"] {
                    let again = try await HTTP.send(
                        "GET", path, port: gateway.port, headers: [("If-None-Match", known)])
                    #expect(again.status == 304 && again.body.isEmpty, "\(path) \(known)")
                    #expect(again.headers["etag"] == tag)
                }
                let other = try await HTTP.send(
                    "GET", path, port: gateway.port, headers: [("If-None-Match", "\"other\"")])
                #expect(other.status == 200)
            }
        }
    }

    @Test func otherMethodsAndOtherPathsAreRefused() async throws {
        try await withLocalGateway(settings: Self.clerk) { gateway in
            let post = try await HTTP.send("POST", "/dashboard", port: gateway.port)
            #expect(post.status == 405 && post.headers["allow"] == "GET, HEAD, OPTIONS")
            for path in ["/dashboard/other.js", "/dashboards", "/dashboard/tollgate.css/x"] {
                let answer = try await HTTP.get(path, port: gateway.port)
                #expect(answer.status == 404, "\(path)")
            }
        }
    }

    @Test func withoutAPublishableKeyThePageComesAllTheSame() async throws {
        try await withLocalGateway { gateway in
            let page = try await HTTP.get("/dashboard", port: gateway.port)
            #expect(page.status == 200 && !page.body.contains("{{"))
            #expect(page.headers["content-security-policy"]?.contains("script-src 'self';") == true)
        }
    }

    @Test func switchedOffThePathIsFreeForARoute() async throws {
        try await withLocalGateway(settings: ["TOLLGATE_DASHBOARD": "off"]) { gateway in
            let page = try await HTTP.get("/dashboard", port: gateway.port)
            #expect(page.status == 404)
            let account = try await HTTP.get("/account", port: gateway.port)
            #expect(account.status == 401, "the figures are still there, for a page of one's own")
        }
    }
}
