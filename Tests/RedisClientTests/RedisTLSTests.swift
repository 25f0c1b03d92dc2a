import Hiredis
import NIOCore
import NameResolution
import RedisClient
import TestSupport
import Testing
import TollgateDev

/// `rediss://` against a redis-server that asks for a client certificate.
@Suite(.redisHasTLS) struct RedisTLSTests {
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

    /// The certificate is for localhost.
    @Test func aCertificateForAnotherNameIsRefusedAndTheNameIsTold() async throws {
        try await withTLSServer { directory, endpoint in
            let tls = try RedisClientConfiguration.tls(
                authorityFile: directory + "/ca.crt", certificateFile: directory + "/client.crt",
                keyFile: directory + "/client.key")
            guard case .tcp(_, let port) = endpoint.address else { return }
            for host in ["127.0.0.1", "ip6-localhost"] {
                let other = try RedisEndpoint(url: "rediss://\(host):\(port)")
                let configuration = RedisClientConfiguration(endpoint: other, tls: tls, resolver: Loop())
                try await withRedisClient(configuration, waitsUntilReady: false) { client in
                    try await eventually("an attempt has failed") {
                        client.lastFailure?.contains("no attempt") == false
                    }
                    let reason = client.lastFailure ?? ""
                    #expect(reason.contains("certificate does not name the host"), "\(reason)")
                }
            }
        }
    }

    /// Every name leads to 127.0.0.1.
    private struct Loop: NameResolver {
        func addresses(of host: String, port: Int, on eventLoop: any EventLoop) -> EventLoopFuture<[SocketAddress]> {
            eventLoop.makeCompletedFuture { [try SocketAddress(ipAddress: "127.0.0.1", port: port)] }
        }
    }

    private func withTLSServer(_ body: (_ directory: String, _ endpoint: RedisEndpoint) async throws -> Void)
        async throws
    {
        try await withTLSRedis { directory, _, port in
            try await body(directory, try RedisEndpoint(url: "rediss://localhost:\(port)"))
        }
    }
}
