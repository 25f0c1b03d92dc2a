import TollgateDev

/// Certificates for Redis over TLS, made by openssl.
package enum TestCertificates {
    /// An authority (`ca.crt`), and a certificate of it for the server and for the client (`server.crt`, `client.crt`),
    /// each with its key.
    ///
    /// - Parameter names: What the certificates are for, as OpenSSL writes it.
    package static func make(in directory: String, for names: String = "DNS:localhost") async throws {
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
                "req -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=\(names)"
                    + " -keyout @/\(name).key -out @/\(name).csr")
            try await openssl(
                "x509 -req -in @/\(name).csr -CA @/ca.crt -CAkey @/ca.key -CAcreateserial -copy_extensions copy -days 2"
                    + " -out @/\(name).crt")
        }
    }

    /// What redis-server is told to listen with TLS at `port`, and to speak it with other servers.
    package static func arguments(in directory: String, port: Int) -> [String] {
        [
            "--tls-port", "\(port)", "--tls-cert-file", directory + "/server.crt", "--tls-key-file",
            directory + "/server.key", "--tls-ca-cert-file", directory + "/ca.crt", "--tls-auth-clients", "yes",
        ]
    }
}
