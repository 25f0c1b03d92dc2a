import Hiredis
import NIOCore
import RedisClient
import TestSupport
import Testing
import TollgateDev

@Suite struct RedisClientTests {
    @Test func concurrentCommandsGetTheirOwnReplies() async throws {
        try await withRedis { server in
            try await withRedisClient(server.configuration) { client in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<2000 {
                        group.addTask {
                            let reply = try await client.execute(RedisCommand("ECHO", "\(number)"))
                            #expect(reply.string == "\(number)")
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test func errorRepliesKeepTheirKind() async throws {
        try await withRedis { server in
            try await withRedisClient(server.configuration) { client in
                try await client.send("SET key text")
                await #expect(
                    throws: RedisError.server(
                        kind: "WRONGTYPE",
                        message: "WRONGTYPE Operation against a key holding the wrong kind of value")
                ) { try await client.send("LPUSH key x") }
                #expect(try await client.send("GET key").string == "text", "the connection goes on")
            }
        }
    }

    @Test func scriptsSurviveTheLossOfTheCache() async throws {
        let script = RedisScript(source: "return {KEYS[1], ARGV[1], 7}")
        let call = RedisScript.Call(script, keys: ["k"], arguments: ["a"])
        let expected = RedisReply.array([.bytes(Array("k".utf8)), .bytes(Array("a".utf8)), .integer(7)])
        try await withRedis { server in
            try await withRedisClient(server.configuration) { client in
                #expect(try await client.run(call) == expected)
                try await client.send("SCRIPT FLUSH")
                #expect(try await client.run(call) == expected)
                try await client.send("CONFIG RESETSTAT")
                #expect(try await client.run(call) == expected)
                #expect(try await client.calls(of: "evalsha") == 1)
                #expect(try await client.calls(of: "eval") == 0, "the text travels once")
            }
        }
    }

    @Test func loginDatabaseAndNameAreSet() async throws {
        let acl = [
            "--user", "gate", "on", ">s3cret:@", "~*", "+@all", "--user", "default", "on", ">other", "~*", "+@all",
        ]
        try await withTemporaryDirectory { directory in
            let server = try await RedisServerProcess.start(directory: directory, extraArguments: acl)
            let endpoint = try RedisEndpoint(url: "redis://gate:s3cret%3A%40@127.0.0.1:\(server.port)/3")
            try await withRedisClient(RedisClientConfiguration(endpoint: endpoint, clientName: "worker-1")) { client in
                let user = try await client.send("ACL WHOAMI").string
                #expect(user == "gate")
                let name = try await client.send("CLIENT GETNAME").string
                #expect(name == "worker-1")
                let description = try await client.send("CLIENT INFO").string
                #expect(description?.contains("db=3") == true)
            }
            let wrong = try RedisEndpoint(url: "redis://gate:wrong@127.0.0.1:\(server.port)")
            try await withRedisClient(RedisClientConfiguration(endpoint: wrong), waitsUntilReady: false) { client in
                try await eventually("the reason is known") { client.lastFailure?.contains("WRONGPASS") == true }
                #expect(client.lastFailure?.contains("wrong@") == false)
            }
            // One that knows no AUTH says the password back.
            let deaf = try await RedisServerProcess.start(
                directory: directory + "/deaf", extraArguments: ["--rename-command", "AUTH", ""])
            let unheard = try RedisEndpoint(url: "redis://gate:unheard-of@127.0.0.1:\(deaf.port)")
            try await withRedisClient(RedisClientConfiguration(endpoint: unheard), waitsUntilReady: false) { client in
                try await eventually("the reason is known") { client.lastFailure?.contains("unknown command") == true }
                #expect(client.lastFailure?.contains("unheard-of") == false)
            }
            await deaf.stop()
            let none = try RedisEndpoint(url: "redis://127.0.0.1:\(server.port)")
            try await withRedisClient(RedisClientConfiguration(endpoint: none), waitsUntilReady: false) { client in
                try await eventually("the reason is known") { client.lastFailure?.contains("NOAUTH") == true }
            }
            await server.stop()
        }
    }

    /// Redis says so before it has read anything, in place of the first answer.
    @Test(arguments: ["", "secret"])
    func aServerThatTakesNoMoreClientsIsUnderstood(password: String) async throws {
        let login = password.isEmpty ? [] : ["--requirepass", password]
        try await withRedis(extraArguments: login) { server in
            let first = try await RawClient.connect(port: server.port)
            if !password.isEmpty { try await first.send("AUTH \(password)\r\n") }
            try await first.send("CONFIG SET maxclients 1\r\n")
            try await first.waits(for: password.isEmpty ? "+OK" : "+OK\r\n+OK")
            let url = "redis://\(password.isEmpty ? "" : ":\(password)@")127.0.0.1:\(server.port)"
            let configuration = RedisClientConfiguration(endpoint: try RedisEndpoint(url: url))
            try await withRedisClient(configuration, waitsUntilReady: false) { client in
                try await eventually("the reason is known") {
                    client.lastFailure == "Redis answered: ERR max number of clients reached"
                }
                try await first.send("CONFIG SET maxclients 100\r\n")
                try await eventually("the client is ready") { client.isReady }
            }
            try await first.close()
        }
    }

    @Test func unixSocketsWork() async throws {
        try await withRedis(unixSocket: true) { server in
            let path = try #require(server.unixSocketPath)
            let endpoint = try RedisEndpoint(url: "unix://\(path)?db=1")
            try await withRedisClient(RedisClientConfiguration(endpoint: endpoint)) { client in
                let reply = try await client.send("PING")
                #expect(reply == .status("PONG"))
            }
        }
    }

    @Test func shutdownAnswersWhatIsInFlightAndRefusesTheRest() async throws {
        try await withRedis { server in
            var configuration = try server.configuration
            configuration.commandTimeout = .seconds(20)
            try await withRedisClient(configuration) { client in
                server.suspend()
                let inFlight = Task { try await client.send("PING") }
                try await eventually("the command is sent") { client.pendingCommandCount == 1 }
                async let shutDown: Void = client.shutDown()
                try await eventually("the client is on its way out") { !client.isReady }
                await #expect(throws: RedisError.closed) { try await client.send("PING") }
                server.resume()
                #expect(try await inFlight.value == .status("PONG"))
                await shutDown
            }
        }
    }
}
