import Hiredis
import RedisClient
import Synchronization
import TestSupport
import Testing
import TollgateDev

/// A password that changes while clients are logged in with the old one.
@Suite(.timeLimit(.minutes(6))) struct RedisPasswordTests {
    /// What stands in the place of a file.
    private final class Vault: Sendable {
        struct Locked: Error, CustomStringConvertible {
            let description = "the vault is locked"
        }

        private let password: Mutex<String?>

        init(_ password: String) { self.password = Mutex(password) }

        func put(_ password: String?) { self.password.withLock { $0 = password } }

        func read() throws -> String {
            guard let password = password.withLock(\.self) else { throw Locked() }
            return password
        }
    }

    /// Runs `body` with a user `gate`, a client that logs in as it, and another that may do anything.
    private func withGate(
        _ body: (_ vault: Vault, _ client: RedisClient, _ admin: RedisClient) async throws -> Void
    ) async throws {
        try await withRedis { server in
            try await withRedisClient(server.configuration) { admin in
                try await admin.send("ACL SETUSER gate on >first ~* &* +@all")
                let vault = Vault("first")
                var configuration = try server.configuration
                configuration.endpoint = try RedisEndpoint(
                    url: server.url.replacing("redis://", with: "redis://gate@"), hasPasswordElsewhere: true)
                configuration.passwordSource = { try vault.read() }
                try await withRedisClient(configuration) { client in try await body(vault, client, admin) }
            }
        }
    }

    @Test func aRotatedPasswordIsAskedForAtTheNextLogin() async throws {
        try await withGate { vault, client, admin in
            let user = try await client.send("ACL WHOAMI").string
            #expect(user == "gate")
            try await admin.send("ACL SETUSER gate >second <first")
            vault.put("second")
            #expect(await client.ping() && client.lastFailure == nil, "connections that stand are logged in")
            try await admin.send("CLIENT KILL USER gate")
            try await eventually("all connections are back", within: .seconds(5)) { await client.ping() }
            let again = try await client.send("ACL WHOAMI").string
            #expect(again == "gate")
        }
    }

    @Test func aLoginWithoutAPasswordFailsAndIsTriedAgain() async throws {
        try await withGate { vault, client, admin in
            vault.put(nil)
            try await admin.send("CLIENT KILL USER gate")
            try await eventually("the reason is known") {
                client.lastFailure == "the login failed: the vault is locked"
            }
            vault.put("wrong-password")
            try await eventually("Redis' reason is known") { client.lastFailure?.contains("WRONGPASS") == true }
            #expect(client.lastFailure?.contains("wrong-password") == false)
            vault.put("first")
            try await eventually("all connections are back", within: .seconds(5)) { await client.ping() }
        }
    }
}
