import Hiredis
package import RedisClient

/// How the Redis server is, asked for the operator.
package struct RedisInspection: Sendable {
    private let client: RedisClient

    package init(client: RedisClient) { self.client = client }

    /// How long a PING takes, there and back.
    ///
    /// - Throws: Why there is no answer.
    package func latency() async throws(RedisError) -> Duration {
        let start = ContinuousClock.now
        do {
            _ = try await client.execute(RedisCommand("PING"))
        } catch .server {
            // Refused is answered as well.
        }
        return ContinuousClock.now - start
    }

    /// What the server says of itself. In a cluster it is one of them by chance.
    package func info() async throws(RedisError) -> RedisServerInfo {
        RedisServerInfo(try await client.execute(RedisCommand("INFO")).string ?? "")
    }

    /// What one of Redis' servers says of itself.
    package struct Server: Sendable {
        /// Where it is, if it is one of a cluster's.
        package let address: String?
        package let info: Result<RedisServerInfo, RedisError>

        package init(address: String?, info: Result<RedisServerInfo, RedisError>) {
            self.address = address
            self.info = info
        }
    }

    /// What all say that take writes.
    package func servers() async -> [Server] {
        await client.executeEverywhere(RedisCommand("INFO")).map { answer in
            Server(address: answer.server, info: answer.reply.map { RedisServerInfo($0.string ?? "") })
        }
    }
}

/// What `INFO` answers (https://redis.io/docs/latest/commands/info/): lines `name:value`, and titles.
package struct RedisServerInfo: Sendable, Hashable {
    private var values: [String: String] = [:]

    package init(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            guard !line.hasPrefix("#"), let colon = line.firstIndex(of: ":") else { continue }
            values[String(line[..<colon])] = String(line[line.index(after: colon)...])
        }
    }

    package subscript(name: String) -> String? { values[name] }

    package func integer(_ name: String) -> Int? { values[name].flatMap { Int($0) } }

    /// Its own number where it is no Redis but a relative of it.
    package var version: String? { values["valkey_version"] ?? values["redis_version"] }
}
