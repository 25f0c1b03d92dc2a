import AsyncHTTPClient
import ClerkAuth
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import TestSupport
import Testing
import TollgateCore
import TollgateDev

/// Signing in at the development identity provider, as a browser does it.
@Suite(.timeLimit(.minutes(6)))
struct SignInTests {
    private struct Noon: TimeSource {
        func now() -> UnixTime { UnixTime(seconds: 1_764_158_400) }
    }

    private struct Answer {
        let status: UInt
        let headers: HTTPHeaders
        let body: String
    }

    /// Follows no redirects: they lead to the gateway.
    private static let client = HTTPClient(
        eventLoopGroupProvider: .singleton, configuration: .init(redirectConfiguration: .disallow))

    private func withProvider(_ body: (String) async throws -> Void) async throws {
        let identity = try DevelopmentIdentity.shared()
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let server = DevelopmentIdentityServer(
            identity: identity, port: 0, time: Noon(), logger: Logger(label: "test"),
            onRunning: { port.yield($0) })
        let group = ServiceGroup(services: [server], logger: Logger(label: "test"))
        async let ended: Void = group.run()
        try await body(try #require(await ports.first { _ in true }.map { "http://127.0.0.1:\($0)" }))
        await group.triggerGracefulShutdown()
        try await ended
    }

    private func send(
        _ method: HTTPMethod, _ url: String, form: String? = nil, headers: [(String, String)] = []
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = method
        request.headers = HTTPHeaders(headers)
        if let form { request.body = .bytes(ByteBuffer(string: form)) }
        let response = try await Self.client.execute(request, timeout: .seconds(5))
        let body = try await response.body.collect(upTo: 65_536)
        return Answer(status: response.status.code, headers: response.headers, body: String(buffer: body))
    }

    private func cookie(_ answer: Answer) throws -> String {
        let set = try #require(answer.headers.first(name: "set-cookie"))
        return String(try #require(set.split(separator: ";").first))
    }

    @Test func thePickerShowsEverySampleUser() async throws {
        try await withProvider { base in
            let page = try await send(
                .GET, "\(base)/sign-in?redirect_url=http%3A%2F%2F127.0.0.1%3A8080%2Fdashboard%3Fa%3D%22b")
            #expect(page.status == 200)
            #expect(SampleUser.all.count == 5)
            for user in SampleUser.all { #expect(page.body.contains("<button id=\"\(user.userID)\">\(user.name)")) }
            #expect(page.body.contains("value=\"http://127.0.0.1:8080/dashboard?a=&quot;b\""), "the text is escaped")
        }
    }

    @Test func aPersonSignsInAndGetsTokensForTheirPage() async throws {
        try await withProvider { base in
            let signedIn = try await send(
                .POST, "\(base)/sign-in",
                form: "user=user_abc&name=%3Cimg+src%3Dx%3E&plan=paid&redirect_url=http%3A%2F%2F127.0.0.1%3A8080%2Fx")
            #expect(signedIn.status == 303 && signedIn.headers.first(name: "location") == "http://127.0.0.1:8080/x")
            let set = try #require(signedIn.headers.first(name: "set-cookie"))
            #expect(set.contains("HttpOnly") && set.contains("SameSite=Lax"))
            let headers = [("Cookie", try cookie(signedIn)), ("Origin", "http://127.0.0.1:8080")]

            let client = try await send(.GET, "\(base)/v1/client", headers: headers)
            #expect(client.body.contains(#""fullName":"<img src=x>""#) && client.body.contains(#""id":"user_abc""#))
            #expect(client.headers.first(name: "access-control-allow-origin") == "http://127.0.0.1:8080")
            #expect(client.headers.first(name: "access-control-allow-credentials") == "true")

            let token = try await send(.POST, "\(base)/v1/client/token", headers: headers)
            #expect(token.body.contains(#""expiresInSeconds":60"#) && token.body.contains(#""jwt":"ey"#))

            let signedOut = try await send(.POST, "\(base)/v1/client/sign-out", headers: headers)
            #expect(try cookie(signedOut).hasSuffix("="))
        }
    }

    @Test func whoIsNotSignedInGetsNoToken() async throws {
        try await withProvider { base in
            let client = try await send(.GET, "\(base)/v1/client")
            #expect(client.body == #"{"user":null}"#)
            let token = try await send(.POST, "\(base)/v1/client/token")
            #expect(token.body.contains(#""jwt":null"#))
        }
    }

    @Test func otherSitesGetNothing() async throws {
        try await withProvider { base in
            let evil = try await send(.GET, "\(base)/v1/client", headers: [("Origin", "https://evil.example")])
            #expect(evil.headers.first(name: "access-control-allow-origin") == nil)
            for target in [
                "https://evil.example/", "//evil.example/", "/\\evil.example", "http://127.0.0.1.evil.example",
            ] {
                let answer = try await send(
                    .POST, "\(base)/sign-in", form: "user=user_abc&redirect_url=\(target)")
                #expect(answer.headers.first(name: "location") == "/", "\(target)")
            }
        }
    }

    @Test func aUserIDThatIsNoneIsRefusedWithTheRemedy() async throws {
        try await withProvider { base in
            for form in ["user=a%20b", "user=", "", "user=%ZZ"] {
                let answer = try await send(.POST, "\(base)/sign-in", form: form)
                #expect(answer.status == 400 && answer.body.contains("128 letters"), "\(form)")
            }
        }
    }

    @Test func theScriptStandsWhereClerksDoes() async throws {
        try await withProvider { base in
            let port = try #require(base.split(separator: ":").last.flatMap { Int($0) })
            let url = DevelopmentIdentityServer.clerkScriptURL(port: port)
            let script = try await send(.GET, url)
            #expect(script.status == 200 && script.body.contains("window.Clerk = "))
            let key = try PublishableKey(DevelopmentIdentityServer.publishableKey(port: port))
            #expect(key.host == "127.0.0.1:\(port)" && !key.isLive)
        }
    }
}
