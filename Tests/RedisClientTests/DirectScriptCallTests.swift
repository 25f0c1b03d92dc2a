import Hiredis
import NIOCore
import RedisClient
import TestSupport
import Testing
import TollgateDev

@Suite struct DirectScriptCallTests {
    /// Runs `source` with one key and one argument.
    private final class Call: DirectScriptCall {
        let script: RedisScript
        let keyCount = 1
        let argumentCount = 1
        private let argument: String
        private let waiter: (Result<IntegerReply?, RedisError>) -> Void

        init(
            _ source: String, _ argument: String, waiter: @escaping (Result<IntegerReply?, RedisError>) -> Void
        ) {
            script = RedisScript(source: source)
            self.argument = argument
            self.waiter = waiter
        }

        let hashTag: String? = "a"

        func writeKeys(to buffer: inout ByteBuffer) { buffer.writeArgument(parts: "key:{", "a", "}") }
        func writeArguments(to buffer: inout ByteBuffer) { buffer.writeArgument(argument) }

        func finish(_ result: Result<IntegerReply?, RedisError>) { waiter(result) }
    }

    private func run(_ source: String, _ argument: String = "", on client: RedisClient) async throws -> IntegerReply? {
        try await client.call { link, identifier, waiter in
            link.run(Call(source, argument, waiter: waiter), identifier: identifier)
        }
    }

    @Test func numbersComeBackByNameAndByText() async throws {
        try await withRedis { server in
            try await withRedisClient(server.configuration) { client in
                let source = "return { #KEYS, #KEYS[1], tonumber(ARGV[1]), #ARGV }"
                let expected = IntegerReply([1, 7, 42, 1])
                #expect(try await run(source, "42", on: client) == expected)
                try await client.send("SCRIPT FLUSH")
                #expect(try await run(source, "42", on: client) == expected)
                try await client.send("CONFIG RESETSTAT")
                #expect(try await run(source, "42", on: client) == expected)
                #expect(try await client.calls(of: "evalsha") == 1)
                #expect(try await client.calls(of: "eval") == 0, "the text travels once")
            }
        }
    }

    @Test func otherRepliesAndErrorsAreTold() async throws {
        try await withRedis { server in
            try await withRedisClient(server.configuration) { client in
                let mixed = try await run("return { 'text', 1 }", on: client)
                #expect(mixed == nil)
                let withText = try await run("return { 1, 'text' }", on: client)
                #expect(withText == IntegerReply([1], text: "text"))
                let text = try await run("return 'text'", on: client)
                #expect(text == nil)
                await #expect(throws: RedisError.server(kind: "BUSY", message: "BUSY with it")) {
                    try await run("return redis.error_reply('BUSY with it')", on: client)
                }
                let numbers = try await run("return { 3 }", on: client)
                #expect(numbers == IntegerReply([3]), "the connection goes on")
            }
        }
    }

    @Test func aCallThatIsTooLongIsNotSent() async throws {
        try await withRedis { server in
            try await withRedisClient(server.configuration) { client in
                let long = String(repeating: "x", count: RedisCommand.maximumBytes)
                let error = await #expect(throws: RedisError.self) {
                    try await run("return { #ARGV[1] }", long, on: client)
                }
                guard case .commandTooLong(let byteCount) = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
                #expect(byteCount > RedisCommand.maximumBytes)
                let numbers = try await run("return { #ARGV[1] }", "abc", on: client)
                #expect(numbers == IntegerReply([3]), "nothing of it is in the bytes that leave next")
            }
        }
    }

    @Test func callsFailWhenRedisIsAway() async throws {
        try await withRedis { server in
            try await withRedisClient(server.configuration) { client in
                server.suspend()
                let inFlight = Task { try await run("return { 1 }", on: client) }
                try await eventually("the call is sent") { client.pendingCommandCount == 1 }
                await server.kill()
                await #expect(throws: RedisError.self) { try await inFlight.value }
                await #expect(throws: RedisError.self) { try await run("return { 1 }", on: client) }
            }
        }
    }
}
