package import TollgateDev

/// What workers send to Redis because of requests, as its own monitor shows it.
///
/// A worker also sends commands of its own accord, whenever their time has come: for its clock, its report, its
/// readiness. They are known by their names and keys and are left out, so that a count does not depend on the moment.
package enum RedisMonitor {
    private static let ownCommands: Set<Substring> = [
        "AUTH", "CLIENT", "CONFIG", "ECHO", "INFO", "PING", "SCRIPT", "SELECT", "TIME",
    ]
    private static let ownKeys = [
        "\"worker:{", "\"workers\"", "\"topusers:{", "\"webhooks:waiting\"", "{readiness probe", "\"reconciliation",
        "\"users\"",
    ]

    /// The commands that `body` causes, each with its arguments. What scripts do inside is not among them.
    package static func commands(
        of server: RedisServerProcess, isolation: isolated (any Actor)? = #isolation,
        during body: () async throws -> Void
    ) async throws -> [String] {
        let monitor = try await RawClient.connect(port: server.port)
        try await monitor.send("MONITOR\r\n")
        try await monitor.waits(for: "+OK")
        try await body()
        _ = try await RawClient.ask(server.port, "ECHO end-of-monitoring\r\n") { $0.contains("end-of-monitoring") }
        try await monitor.waits(for: "\"end-of-monitoring\"")
        let text = monitor.text
        try await monitor.close()
        return text.split(separator: "\r\n").compactMap(command).filter { !isOwn($0) }.map(String.init)
    }

    /// What follows the time and the address: `"GET" "key"`. Nil for what a script does.
    private static func command(_ line: Substring) -> Substring? {
        guard let end = line.firstRange(of: "] \""), !line[..<end.lowerBound].hasSuffix(" lua") else { return nil }
        return line[line.index(end.upperBound, offsetBy: -1)...]
    }

    private static func isOwn(_ command: Substring) -> Bool {
        let name = command.dropFirst().prefix { $0 != "\"" }.uppercased()
        return ownCommands.contains(Substring(name)) || ownKeys.contains { command.contains($0) }
    }
}
