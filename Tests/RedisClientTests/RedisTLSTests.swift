import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateDev

/// `rediss://` against a redis-server that asks for a client certificate.
@Suite struct RedisTLSTests {
    @Test func bothSidesShowTheirCertificates() async throws {
        try await withTLSServer { directory, endpoint in
            let tls = try RedisClientConfiguration.tls(
                authorityFile: directory + "/ca.crt", certificateFile: directory + "/client.crt",
                keyFile: directory + "/client.key")
            try await withRedisClient(RedisClientConfiguration(endpoint: endpoint, tls: tls)) { client in
                let reply = try await client.send("PING")
                #expect(reply == .status("PONG"))
            }
        }
    }

    @Test func serversOfAnotherAuthorityAreRefused() async throws {
        try await withTLSServer { directory, endpoint in
            let tls = try RedisClientConfiguration.tls(
                authorityFile: nil, certificateFile: directory + "/client.crt", keyFile: directory + "/client.key")
            let configuration = RedisClientConfiguration(endpoint: endpoint, tls: tls)
            try await withRedisClient(configuration, waitsUntilReady: false) { client in
                try await eventually("the reason is known") {
                    client.lastFailure?.contains("CERTIFICATE_VERIFY_FAILED") == true
                }
            }
        }
    }

    private func withTLSServer(_ body: (_ directory: String, _ endpoint: RedisEndpoint) async throws -> Void)
        async throws
    {
        try await withTemporaryDirectory { directory in
            try await TestCertificates.make(in: directory)
            let port = try await Loopback.freePort()
            let arguments = TestCertificates.arguments(in: directory, port: port)
            try await withRedis(in: directory, extraArguments: arguments) { _ in
                try await body(directory, try RedisEndpoint(url: "rediss://localhost:\(port)"))
            }
        }
    }
}
