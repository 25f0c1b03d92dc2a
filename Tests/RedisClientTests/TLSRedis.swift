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
        try await makeCertificates(in: directory)
        let port = try await Loopback.freePort()
        let arguments = [
            "--tls-port", "\(port)", "--tls-cert-file", directory + "/server.crt", "--tls-key-file",
            directory + "/server.key", "--tls-ca-cert-file", directory + "/ca.crt", "--tls-auth-clients", "yes",
        ]
        try await withRedis(in: directory, extraArguments: arguments) { server in
            try await body(directory, server, port)
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
