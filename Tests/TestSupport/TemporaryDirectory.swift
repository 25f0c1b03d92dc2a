import Foundation

/// Runs `body`, when it is the test's turn, with a directory of its own, whose short path leaves room for a unix socket's name, and removes it.
package func withTemporaryDirectory<Result>(
    isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> Result
) async throws -> Result {
    let path = "/tmp/tg-" + String(UInt64.random(in: 0...0xffff_ffff), radix: 36)
    try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await Turnstile.servers.pass { try await body(path) }
}
