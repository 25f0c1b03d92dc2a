import TestSupport
import Testing
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `https://` upstreams, against the server that OpenSSL comes with.
@Suite(.timeLimit(.minutes(6))) struct UpstreamTLSTests {
    private struct Case: Sendable {
        let what: String
        let host: String

        /// Whether the authority that signed the upstream's certificate is trusted, instead of another.
        let isTrusted: Bool
        let status: Int
    }

    private static let cases = [
        Case(what: "all is well", host: "localhost", isTrusted: true, status: 200),
        Case(what: "the certificate is another host's", host: "127.0.0.1", isTrusted: true, status: 502),
        Case(what: "the authority is unknown", host: "localhost", isTrusted: false, status: 502),
    ]

    @Test(arguments: 0..<cases.count) func theCertificateDecides(number: Int) async throws {
        let `case` = Self.cases[number]
        let directory = "/tmp/tg-tls-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await Self.makeCertificates(in: directory)
        let (server, port) = try await Self.startServer(in: directory)
        let route = "name: tls, path: /tls, charge: success, upstreams: \"https://\(`case`.host):\(port)\""
        let authority = directory + (`case`.isTrusted ? "/ca.crt" : "/other.crt")
        do {
            let settings = ["TOLLGATE_UPSTREAM_CA_FILE": authority]
            try await withRoutedGateways(file: RouteFile.text(route), settings: settings) { gateways in
                let answer = try await gateways.send("GET", "/tls/file")
                #expect(answer.status == `case`.status, "\(`case`.what): \(answer.body)")
                #expect(answer.status == 200 ? answer.body == "secret" : answer.member("code") == "bad-gateway")
                #expect(!answer.body.contains("certificate"), "what is wrong is for the log")
                // What is given back is given back when the answer is on its way.
                try await eventually("a call is charged for a success alone") {
                    try await gateways.usedCalls() == (`case`.status == 200 ? 1 : 0)
                }
            }
        } catch {
            await server.terminate()
            throw error
        }
        await server.terminate()
    }

    /// Answers `GET /tls/file` with the file of that name, head and body.
    private static func startServer(in directory: String) async throws -> (ChildProcess, port: Int) {
        let port = try await Loopback.freePort()
        try FileManager.default.createDirectory(atPath: directory + "/tls", withIntermediateDirectories: false)
        try Wire.answer("secret", fields: "Connection: close\r\n")
            .write(toFile: directory + "/tls/file", atomically: true, encoding: .utf8)
        let line =
            "cd \(directory) && exec openssl s_server -4 -accept \(port) -cert server.crt -key server.key -HTTP -quiet"
        let server = try ChildProcess.start("sh", ["-c", line])
        try await eventually("the server listens") { (try? await RawClient.connect(port: port).close()) != nil }
        return (server, port)
    }

    /// An authority, another one, and a certificate of the first for `localhost`.
    private static func makeCertificates(in directory: String) async throws {
        func openssl(_ line: String) async throws {
            let process = try ChildProcess.start(
                "openssl", line.split(separator: " ").map { String($0).replacing("@", with: directory) })
            let status = await process.wait()
            guard status == .exited(0) else { throw NeverHappened(description: "openssl \(line)") }
        }
        for name in ["ca", "other"] {
            try await openssl(
                "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=\(name) -keyout @/\(name).key -out @/\(name).crt")
        }
        try await openssl(
            "req -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost"
                + " -keyout @/server.key -out @/server.csr")
        try await openssl(
            "x509 -req -in @/server.csr -CA @/ca.crt -CAkey @/ca.key -CAcreateserial -copy_extensions copy -days 2"
                + " -out @/server.crt")
    }
}
