import Hiredis
import RedisClient
import TollgateCore

/// Asks one Redis server for everything that `tollgate doctor` tells of it. Each question waits no longer than a command of
/// the client may.
package struct RedisExamination: Sendable {
    /// Settings that `INFO` does not tell.
    private static let settings = [
        "appendfsync", "save", "min-replicas-to-write", "min-replicas-max-lag", "maxclients", "active-replica",
    ]

    /// Stands for the user in the keys that permissions are tried on. No user id has blanks.
    private static let nobody = "doctor's trial"

    private let client: RedisClient
    private let database: Int
    private let time: any TimeSource

    /// - Parameters:
    ///   - database: Where the connection is.
    ///   - time: The machine's clock.
    package init(client: RedisClient, database: Int, time: any TimeSource) {
        self.client = client
        self.database = database
        self.time = time
    }

    /// - Parameter admissions: What to try admissions with. Nil for a server that takes no writes, as a replica does:
    ///   nothing is written then.
    package func facts(admissions: RedisAdmissionStore?, clock: RedisClock) async -> RedisFacts {
        var facts = RedisFacts(
            latency: await outcome { () throws(RedisError) in try await RedisInspection(client: client).latency() },
            info: await outcome { () throws(RedisError) in try await RedisInspection(client: client).info() },
            clockAheadMilliseconds: await outcome(clockAhead),
            sample: await outcome(KeySampler(client: client).sample))
        facts.settings = await settings()
        if let admissions, facts.takesWrites {
            facts.permissions = try? await permissions()
            facts.admissions = await AdmissionTrialist(client: client, store: admissions, clock: clock).run()
        }
        return facts
    }

    private func outcome<Value>(
        _ question: () async throws(RedisError) -> Value
    ) async -> Result<Value, RedisError> {
        do throws(RedisError) { return .success(try await question()) } catch { return .failure(error) }
    }

    private func settings() async -> [String: String] {
        // One by one: before Redis 7 the command takes one name.
        let commands = Self.settings.map { RedisCommand("CONFIG", "GET", $0) }
        guard let results = try? await client.results(of: commands) else { return [:] }
        var settings: [String: String] = [:]
        for result in results {
            guard let pair = (try? result.get())?.array, pair.count == 2, let name = pair[0].string else { continue }
            settings[name] = pair[1].string
        }
        return settings
    }

    private func clockAhead() async throws(RedisError) -> Int64 {
        let (start, before) = (ContinuousClock.now, time.now())
        let reply = try await client.execute(RedisCommand("TIME"))
        let half = (ContinuousClock.now - start) / 2
        guard let redis = RedisClock.time(in: reply) else {
            throw .server(kind: "ERR", message: "TIME was not answered with a time")
        }
        return before.milliseconds + Int64(half / .milliseconds(1)) - redis.milliseconds
    }

    private func permissions() async throws(RedisError) -> PermissionFacts {
        var facts = PermissionFacts()
        let commands = RedisPermissions.commands(triedOn: Self.nobody, in: database)
        for (command, result) in zip(commands, try await client.results(of: commands.map(\.trial))) {
            facts.took(result, command: command.name)
        }
        for pattern in RedisPermissions.keyPatterns {
            for result in try await client.results(of: RedisPermissions.trials(ofPattern: pattern, on: Self.nobody)) {
                facts.took(result, pattern: pattern)
            }
        }
        return facts
    }
}

extension RedisFacts {
    /// Whether it may be tried what a worker does. A replica would only close the connection over it.
    package var takesWrites: Bool {
        guard case .success(let info) = info else { return true }
        return info["role"] != "slave"
    }
}
