package import Testing
package import TollgateDev

extension RedisServerProcess {
    /// Whether the program was built with TLS, which some are without.
    package static let hasTLS = Task {
        // One that has it misses a certificate, and ends; others end for other reasons.
        let process = try ChildProcess.start(program, ["--port", "0", "--tls-port", "1"], output: .lines)
        var missesCertificate = false
        for await line in process.lines where line.contains("Failed to configure TLS") { missesCertificate = true }
        _ = await process.wait()
        return missesCertificate
    }
}

extension Trait where Self == ConditionTrait {
    /// For tests of TLS: the wheel that `make test-valkey` installs, for one, has none.
    package static var redisHasTLS: Self {
        .enabled("The server was built without TLS.") { try await RedisServerProcess.hasTLS.value }
    }
}
