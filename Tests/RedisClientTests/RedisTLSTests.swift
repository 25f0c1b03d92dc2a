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
            try await makeCertificates(in: directory)
            let port = try await Loopback.freePort()
            let arguments = [
                "--tls-port", "\(port)", "--tls-cert-file", directory + "/server.crt", "--tls-key-file",
                directory + "/server.key", "--tls-ca-cert-file", directory + "/ca.crt", "--tls-auth-clients", "yes",
            ]
            try await withRedis(in: directory, extraArguments: arguments) { _ in
                try await body(directory, try RedisEndpoint(url: "rediss://localhost:\(port)"))
            }
        }
    }

    /// An authority, and a certificate of it for the server and for the client.
    private func makeCertificates(in directory: String) async throws {
        func openssl(_ line: String) async throws {
            let process = try ChildProcess.start(
                "openssl", line.split(separator: " ").map { String($0).replacing("@", with: directory) })
            let status = await process.wait()
            guard status == .exited(0) else { throw NeverHappened(description: "openssl \(line)") }
        }
        try await openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout @/ca.key -out @/ca.crt")
        for name in ["server", "client"] {
            try await openssl(
                "req -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost"
                    + " -keyout @/\(name).key -out @/\(name).csr")
            try await openssl(
                "x509 -req -in @/\(name).csr -CA @/ca.crt -CAkey @/ca.key -CAcreateserial -copy_extensions copy -days 2"
                    + " -out @/\(name).crt")
        }
    }
}
