import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Testing
import TollgateCore
import TollgateDev

@Suite(.timeLimit(.minutes(6)))
struct DevelopmentIdentityServerTests {
    private struct FixedTime: TimeSource {
        func now() -> UnixTime { UnixTime(seconds: 1_764_158_400) }
    }

    @Test
    func servesItsKeysAndSaysWhatItIs() async throws {
        try await withTemporaryDirectory { directory in
            let identity = try DevelopmentIdentity(directory: directory, issuer: "http://<issuer>")
            let (ports, port) = AsyncStream.makeStream(of: Int.self)
            let server = DevelopmentIdentityServer(
                identity: identity, port: 0, time: FixedTime(), logger: Logger(label: "test"),
                onRunning: { port.yield($0) })
            let group = ServiceGroup(services: [server], logger: Logger(label: "test"))
            async let ended: Void = group.run()
            let base = try #require(await ports.first { _ in true }.map { "http://127.0.0.1:\($0)" })

            let keys = try await get("\(base)/.well-known/jwks.json")
            #expect(keys.type == "application/json")
            #expect(keys.body == identity.jwksJSON)
            let page = try await get("\(base)/")
            #expect(page.type == "text/html; charset=utf-8")
            #expect(page.body.contains("<title>Development identity provider: not for production</title>"))
            #expect(page.body.contains("http://&lt;issuer&gt;"))

            await group.triggerGracefulShutdown()
            try await ended
        }
    }

    private func get(_ url: String) async throws -> (type: String?, body: String) {
        let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(5))
        let body = try await response.body.collect(upTo: 65_536)
        return (response.headers.first(name: "content-type"), String(buffer: body))
    }
}
