package import Hiredis
package import Logging
import NIOCore
import NIOPosix
package import RedisClient
package import TollgateDev

/// Runs `body` with a redis-server of its own.
package func withRedis<Result>(
    isolation: isolated (any Actor)? = #isolation, extraArguments: [String] = [], unixSocket: Bool = false,
    _ body: (RedisServerProcess) async throws -> Result
) async throws -> Result {
    try await withTemporaryDirectory { directory in
        try await withRedis(in: directory, extraArguments: extraArguments, unixSocket: unixSocket, body)
    }
}

/// Runs `body` with a redis-server that keeps its files in `directory`.
package func withRedis<Result>(
    isolation: isolated (any Actor)? = #isolation, in directory: String, extraArguments: [String] = [],
    unixSocket: Bool = false, _ body: (RedisServerProcess) async throws -> Result
) async throws -> Result {
    let server = try await RedisServerProcess.start(
        directory: directory + "/redis", unixSocket: unixSocket, persistence: .none,
        extraArguments: try RedisUsers.serverArguments(in: directory, extraArguments))
    do {
        let result = try await body(server)
        await server.stop()
        return result
    } catch {
        await server.stop()
        throw error
    }
}

/// Runs `body` with two redis-servers, which take one turn together.
package func withTwoRedis<Result>(
    isolation: isolated (any Actor)? = #isolation, extraArguments: () async throws -> [String] = { [] },
    _ body: (RedisServerProcess, RedisServerProcess) async throws -> Result
) async throws -> Result {
    try await withTemporaryDirectory { directory in
        try await withRedis(in: directory + "/1", extraArguments: try await extraArguments()) { first in
            try await withRedis(in: directory + "/2", extraArguments: try await extraArguments()) { second in
                try await body(first, second)
            }
        }
    }
}

/// Runs `body` with a client of its own, which is ready unless `waitsUntilReady` is false.
package func withRedisClient<Result>(
    isolation: isolated (any Actor)? = #isolation, _ configuration: RedisClientConfiguration,
    waitsUntilReady: Bool = true, _ body: (RedisClient) async throws -> Result
) async throws -> Result {
    let client = try RedisClient(
        configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: .silent)
    client.start()
    do {
        if waitsUntilReady { try await eventually("the client is ready") { client.isReady } }
        try addInspector(of: client, configuration)
        let result = try await body(client)
        await end(client)
        return result
    } catch {
        await end(client)
        throw error
    }
}

/// One that may do what the tested `client` may not.
private func addInspector(of client: RedisClient, _ configuration: RedisClientConfiguration) throws {
    guard let username = configuration.endpoint.username, username == RedisUsers.tested else { return }
    var configuration = configuration
    configuration.endpoint = RedisEndpoint(address: configuration.endpoint.address)
    let inspector = try RedisClient(
        configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: .silent)
    Inspectors.add(inspector, of: client)
}

private func end(_ client: RedisClient) async {
    await Inspectors.remove(of: client)?.shutDown()
    await client.shutDown()
}

extension RedisServerProcess {
    /// One command, over a plain connection of its own.
    package func tell(_ line: String) async throws {
        let answer = try await RawClient.ask(port, line + "\r\n") { $0.hasSuffix("\r\n") }
        guard !answer.hasPrefix("-") else { throw NeverHappened(description: "\(line): \(answer)") }
    }

    /// How a test reaches this server.
    package var configuration: RedisClientConfiguration {
        get throws { RedisClientConfiguration(endpoint: try RedisEndpoint(url: url)) }
    }

    /// How the tested program reaches it, with patience: for tests of what is stored, on a machine that may be busy with
    /// others.
    package var patientConfiguration: RedisClientConfiguration {
        get throws {
            RedisClientConfiguration(
                endpoint: try RedisEndpoint(url: RedisUsers.loggedIn(url)), commandTimeout: .seconds(10))
        }
    }

    /// How a test looks into this server, with patience: as the default user, for a server of a group, or one with users
    /// of its own, need not know the tested program's.
    package var inspectorConfiguration: RedisClientConfiguration {
        get throws {
            RedisClientConfiguration(endpoint: try RedisEndpoint(url: url), commandTimeout: .seconds(10))
        }
    }
}

extension RedisClient {
    /// One command, written as in redis-cli. What the tested program may not do is done by a Redis user who may.
    @discardableResult
    package func send(_ line: String) async throws -> RedisReply {
        let command = RedisCommand(arguments: line.split(separator: " ").map(String.init))
        do throws(RedisError) {
            return try await execute(command)
        } catch {
            guard case .server(kind: "NOPERM", _) = error, Inspectors.inspector(of: self) != nil else { throw error }
            return try await inspector.execute(command)
        }
    }

    /// A client that may do anything at the same server: this one, unless it is the tested program's.
    package var inspector: RedisClient {
        get async throws {
            guard let inspector = Inspectors.inspector(of: self) else { return self }
            // Not before, since some tests count what comes to the server.
            inspector.start()
            try await eventually("the inspector is ready") { inspector.isReady }
            return inspector
        }
    }

    /// How often Redis has run `command` since its statistics were reset.
    package func calls(of command: String) async throws -> Int {
        let text = try await send("INFO commandstats").string ?? ""
        for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix("cmdstat_\(command):calls=") {
            return Int(line.drop { $0 != "=" }.dropFirst().prefix { $0.isNumber }) ?? 0
        }
        return 0
    }
}

extension Logger {
    package static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}
