import Hiredis
import RedisClient
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// As whom the tested program logs in to the tests' redis-servers.
///
/// Every client may do anything there, unless `TOLLGATE_TEST_REDIS_USERS` names a file of ACL users, such as
/// `deploy/redis/users.acl`: then every worker, and every client that a store is tested with, is the file's `gateway`.
/// Tests themselves prepare and look as a Redis user who may do anything.
package enum RedisUsers {
    /// The users as they are deployed.
    package static let deployedFile = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "deploy/redis/users.acl").path

    /// The users of sentinels as they are deployed.
    package static let deployedSentinelFile = deployedFile.replacing("users.acl", with: "sentinel-users.acl")

    private static let file: String? = {
        let named = ProcessInfo.processInfo.environment["TOLLGATE_TEST_REDIS_USERS"] ?? ""
        return named.isEmpty ? nil : named
    }()

    /// The ACL user that the tested program is.
    package static let tested = file == nil ? "default" : "gateway"

    /// Of every user but the default one.
    package static let password = "password"

    /// What a server in `directory` is started with.
    package static func serverArguments(in directory: String, _ extraArguments: [String] = []) throws -> [String] {
        let hasUsersOfItsOwn = extraArguments.contains { ["--user", "--aclfile", "--requirepass"].contains($0) }
        guard let file, !hasUsersOfItsOwn else { return extraArguments }
        return try arguments(file: file, in: directory) + extraArguments
    }

    /// What a server is started with to know the users of `file`.
    ///
    /// - Parameters:
    ///   - directory: For a copy with passwords.
    ///   - opensDefault: Whether the default user may do anything, for what tests look at.
    package static func arguments(
        file: String = deployedFile, in directory: String, opensDefault: Bool = true
    ) throws -> [String] {
        let users = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
            .filter { !opensDefault || !$0.hasPrefix("user default ") }.map {
                $0.replacing(" on ", with: " on >\(password) ", maxReplacements: 1)
            }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let copy = directory + "/users.acl"
        try ((opensDefault ? ["user default on nopass ~* &* +@all"] : []) + users).joined(separator: "\n")
            .write(toFile: copy, atomically: true, encoding: .utf8)
        return ["--aclfile", copy]
    }

    /// The command that makes a server know `user` as deployed, with ``password``.
    package static func setting(_ user: String) throws -> String {
        let start = "user \(user) on "
        let lines = try String(contentsOfFile: deployedFile, encoding: .utf8).split(separator: "\n")
        let line = lines.first { $0.hasPrefix(start) }?.dropFirst(start.count) ?? ""
        return "ACL SETUSER \(user) on >\(password) \(line)"
    }

    /// `url` with the login of the tested program, where it has none. Sentinels have users of their own.
    package static func loggedIn(_ url: String) -> String {
        guard file != nil, !url.contains("@"), url.hasPrefix("redis://") else { return url }
        return url.replacing("redis://", with: "redis://\(tested):\(password)@", maxReplacements: 1)
    }
}

/// What stands beside a client that may not do everything: for what its test prepares and looks at.
enum Inspectors {
    private static let clients = Mutex<[ObjectIdentifier: RedisClient]>([:])

    static func add(_ inspector: RedisClient, of client: RedisClient) {
        clients.withLock { $0[ObjectIdentifier(client)] = inspector }
    }

    static func remove(of client: RedisClient) -> RedisClient? {
        clients.withLock { $0.removeValue(forKey: ObjectIdentifier(client)) }
    }

    static func inspector(of client: RedisClient) -> RedisClient? {
        clients.withLock { $0[ObjectIdentifier(client)] }
    }
}
