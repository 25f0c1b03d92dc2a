import TestSupport
import TollgateDev

/// Runs `body` with a redis-server that takes TLS as well, and asks for a client certificate there.
///
/// - Parameter body: Told where the certificates are (`ca.crt`, `client.crt`, `client.key`), and the port of TLS.
func withTLSRedis(
    isolation: isolated (any Actor)? = #isolation,
    _ body: (_ directory: String, _ server: RedisServerProcess, _ port: Int) async throws -> Void
) async throws {
    try await withTemporaryDirectory { directory in
        try await TestCertificates.make(in: directory)
        let port = try await Loopback.freePort()
        let arguments = TestCertificates.arguments(in: directory, port: port)
        try await withRedis(in: directory, extraArguments: arguments) { server in
            try await body(directory, server, port)
        }
    }
}
