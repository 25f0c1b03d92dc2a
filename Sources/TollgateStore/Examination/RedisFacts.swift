package import Hiredis
package import RedisClient
import TollgateCore

/// What `tollgate doctor` has found out about one Redis server. Facts alone: what is to be thought of them is for others
/// to say.
package struct RedisFacts: Sendable {
    /// How long a PING takes, there and back.
    package var latency: Result<Duration, RedisError>

    /// What `INFO` answers.
    package var info: Result<RedisServerInfo, RedisError>

    /// What `CONFIG GET` answers, by name. Without those that the server does not tell.
    package var settings: [String: String]

    /// How far the machine's clock is ahead of that of Redis, in milliseconds; half of the round trip may be wrong of it.
    package var clockAheadMilliseconds: Result<Int64, RedisError>

    /// Nil where nothing may be written.
    package var permissions: PermissionFacts?

    /// Nil where nothing may be written.
    package var admissions: AdmissionTrial?

    /// Nil where there are none of its own.
    package var sample: Result<KeySample, RedisError>?

    package init(
        latency: Result<Duration, RedisError>, info: Result<RedisServerInfo, RedisError>,
        settings: [String: String] = [:], clockAheadMilliseconds: Result<Int64, RedisError>,
        permissions: PermissionFacts? = nil, admissions: AdmissionTrial? = nil,
        sample: Result<KeySample, RedisError>? = nil
    ) {
        self.latency = latency
        self.info = info
        self.settings = settings
        self.clockAheadMilliseconds = clockAheadMilliseconds
        self.permissions = permissions
        self.admissions = admissions
        self.sample = sample
    }
}

/// What the login may not do of what a worker does.
package struct PermissionFacts: Sendable, Hashable {
    /// Names of ``RedisPermissions/Command`` that the login may not run.
    package var forbiddenCommands: [String] = []

    /// Those that the server does not have.
    package var unknownCommands: [String] = []

    /// Patterns of ``RedisPermissions/keyPatterns`` whose keys the login may not both read and write.
    package var forbiddenPatterns: [String] = []

    /// Those of which that is not known, since the login may not run what it is tried with.
    package var untriedPatterns: [String] = []

    /// What else the server answered instead of doing it, such as `OOM …`: once each.
    package var refusals: [String] = []

    package init() {}

    /// Takes note of how the server answered to a command.
    package mutating func took(_ result: Result<RedisReply, RedisError>, command: String) {
        guard case .failure(let error) = result else { return }
        switch Refusal(error) {
        case .command: add(command, to: \.forbiddenCommands)
        // The command itself is allowed, or the server would have said so.
        case .key, .none: break
        case .unknownCommand: add(command, to: \.unknownCommands)
        case .other(let text): add(text, to: \.refusals)
        }
    }

    /// Takes note of how the server answered to a command on a key of a pattern.
    package mutating func took(_ result: Result<RedisReply, RedisError>, pattern: String) {
        guard case .failure(let error) = result else { return }
        switch Refusal(error) {
        case .key: add(pattern, to: \.forbiddenPatterns)
        case .command: add(pattern, to: \.untriedPatterns)
        case .none, .unknownCommand, .other: break
        }
    }

    private mutating func add(_ name: String, to list: WritableKeyPath<Self, [String]>) {
        if !self[keyPath: list].contains(name) { self[keyPath: list].append(name) }
    }

    /// What is behind an error of the server's.
    private enum Refusal: Hashable {
        case none
        case command
        case key
        case unknownCommand
        case other(String)

        init(_ error: RedisError) {
            guard case .server(let kind, let message) = error else {
                self = .other("\(error)")
                return
            }
            switch kind {
            case "NOSCRIPT": self = .none
            // Redis says which of the two it is; the words differ from version to version.
            case "NOPERM": self = message.contains("to run") ? .command : .key
            // In a script that calls the command.
            case _ where StoreErrorCode.noPermissionInScript.contains(where: { message.contains($0) }):
                self = message.contains("to run") || message.contains("can't run") ? .command : .key
            case _ where message.lowercased().contains("unknown command"),
                _ where message.contains("Unknown Redis command"):
                self = .unknownCommand
            default: self = .other(message)
            }
        }
    }
}
