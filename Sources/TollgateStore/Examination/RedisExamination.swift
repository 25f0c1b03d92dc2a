import Hiredis
package import RedisClient
package import TollgateCore

/// Asks one Redis server for everything that `tollgate doctor` tells of it. Each question waits no longer than a command of
/// the client may.
package struct RedisExamination: Sendable {
    /// Settings that `INFO` does not tell.
    private static let settings = [
        "appendfsync", "save", "min-replicas-to-write", "min-replicas-max-lag", "maxclients", "active-replica",
    ]

    /// Stands for the user in the keys that permissions are tried on. No user id has blanks.
    private static let trialUser = "doctor's trial"

    let client: RedisClient
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

    /// - Parameters:
    ///   - admissions: What to try admissions with. Nil for a server that takes no writes, as a replica does, or not those
    ///     of every user: nothing is written to it then.
    ///   - clock: The client's.
    package func facts(admissions: RedisAdmissionStore?, clock: RedisClock) async -> RedisFacts {
        var facts = RedisFacts(
            latency: await outcome { () throws(RedisError) in try await RedisInspection(client: client).latency() },
            info: await outcome { () throws(RedisError) in try await RedisInspection(client: client).info() },
            clockAheadMilliseconds: await outcome(clockAhead))
        facts.settings = await settings()
        // A replica has its primary's keys.
        if facts.takesWrites { facts.sample = await outcome(KeySampler(client: client).sample) }
        if let admissions, facts.takesWrites, !facts.isOfCluster {
            facts.permissions = try? await permissions()
            facts.admissions = await self.admissions(admissions, clock: clock)
        } else {
            facts.permissions = try? await permissionsByScript(inCluster: facts.isOfCluster)
        }
        return facts
    }

    /// Makes admissions of a user of its own.
    package func admissions(_ store: RedisAdmissionStore, clock: RedisClock) async -> AdmissionTrial {
        await AdmissionTrialRunner(client: client, store: store, clock: clock).run()
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
        let commands = RedisPermissions.commands(triedOn: Self.trialUser, in: database)
        for (command, result) in zip(commands, try await client.results(of: commands.map(\.trial))) {
            facts.took(result, command: command.name)
        }
        let trials = Self.patternTrials
        let results = try await client.results(of: trials.map { RedisCommand(arguments: $0.arguments) })
        for (trial, result) in zip(trials, results) { facts.took(result, pattern: trial.pattern) }
        return facts
    }

    private static var patternTrials: [(pattern: String, arguments: [String])] {
        RedisPermissions.keyPatterns.flatMap { pattern in
            RedisPermissions.trials(ofPattern: pattern, on: trialUser).map { (pattern, $0) }
        }
    }

    /// Calls one command, given as arguments, and answers with the error. Redis judges a script's calls by the same rules
    /// as its user's, and before it looks whether they write or concern keys that are elsewhere; but an answer such as
    /// READONLY or MOVED within a script costs no connection.
    private static let trialScript =
        "local reply = redis.pcall(unpack(ARGV)) return type(reply) == 'table' and reply.err or ''"

    /// The same at a server that takes no writes, or not those of every user.
    private func permissionsByScript(inCluster: Bool) async throws(RedisError) -> PermissionFacts {
        var facts = PermissionFacts()
        let commands = RedisPermissions.commands(triedOn: Self.trialUser, in: database, inCluster: inCluster)
        let direct = commands.filter { $0.scripted == nil }
        for (command, result) in zip(direct, try await client.results(of: direct.map(\.trial))) {
            facts.took(result, command: command.name)
        }
        guard !facts.forbiddenCommands.contains("eval") else { return facts }
        let scripted = commands.compactMap { command in command.scripted.map { (command.name, $0) } }
        for ((name, _), result) in zip(scripted, try await resultsInScripts(scripted.map(\.1))) {
            facts.took(result, command: name)
        }
        let trials = Self.patternTrials
        for (trial, result) in zip(trials, try await resultsInScripts(trials.map(\.arguments))) {
            facts.took(result, pattern: trial.pattern)
        }
        // That this server does not take writes is no news.
        facts.refusals = []
        return facts
    }

    private func resultsInScripts(
        _ calls: [[String]]
    ) async throws(RedisError) -> [Result<RedisReply, RedisError>] {
        let commands = calls.map { RedisCommand(arguments: ["EVAL", Self.trialScript, "0"] + $0) }
        return try await client.results(of: commands).map { result in
            guard case .success(let reply) = result, let message = reply.string, !message.isEmpty else { return result }
            return .failure(.server(kind: String(message.prefix { $0 != " " }), message: message))
        }
    }
}

extension RedisFacts {
    /// Whether it has some of the users alone.
    var isOfCluster: Bool {
        guard case .success(let info) = info else { return false }
        return info["cluster_enabled"] == "1"
    }

    /// Whether it may be tried what a worker does. A replica would only close the connection over it.
    var takesWrites: Bool {
        guard case .success(let info) = info else { return true }
        return info["role"] != "slave"
    }
}
