import Hiredis
import NIOCore
import RedisClient
import TestSupport
import Testing
import TollgateDev

/// How Redis comes to know the scripts.
@Suite(.timeLimit(.minutes(6))) struct RedisScriptLoadingTests {
    private static let script = RedisScript(source: "return { tonumber(ARGV[1]) }")

    private static func call(_ number: Int) -> RedisScript.Call {
        RedisScript.Call(script, keys: [], arguments: ["\(number)"])
    }

    private final class Call: DirectScriptCall {
        let script = RedisScriptLoadingTests.script
        let hashTag: String? = "tag"
        let keyCount = 0
        let argumentCount = 1
        private let number: Int
        private let waiter: (Result<IntegerReply?, RedisError>) -> Void

        init(_ number: Int, waiter: @escaping (Result<IntegerReply?, RedisError>) -> Void) {
            self.number = number
            self.waiter = waiter
        }

        func writeKeys(to buffer: inout ByteBuffer) {}
        func writeArguments(to buffer: inout ByteBuffer) { buffer.writeArgument(number) }
        func finish(_ result: Result<IntegerReply?, RedisError>) { waiter(result) }
    }

    @Test func oneCallBringsTheTextForAllThatAreInFlight() async throws {
        try await withRedis { server in
            // The flush is no command of the tested program's.
            try await withRedisClient(server.inspectorConfiguration) { client in
                #expect(try await client.run(Self.call(1)) == .array([.integer(1)]))
                try await client.send("CONFIG RESETSTAT")
                // Of two kinds, by turns, behind a flush and in one write with it.
                let numbers: [Int64] = try await client.call { link, _, waiter in
                    var answers: [Int64] = []
                    func add(_ answer: Int64?) {
                        answers.append(answer ?? -1)
                        if answers.count == 200 { waiter(.success(answers)) }
                    }
                    link.send(RedisCommand("SCRIPT", "FLUSH")) { _ in }
                    for number in 1...100 {
                        link.run(Self.call(number)) { add(try? $0.get().array?.first?.integer) }
                        link.run(Call(100 + number) { add((try? $0.get())??[0]) })
                    }
                }
                #expect(numbers.sorted() == Array(1...200), "each has its own answer")
                let texts = try await client.calls(of: "eval")
                #expect(texts == 1)
                #expect(try await client.calls(of: "evalsha") == 200 + 199)
            }
        }
    }

    @Test func theyAreToldInTheHandshake() async throws {
        try await withRedis { server in
            var configuration = try server.patientConfiguration
            configuration.scripts = [Self.script]
            try await withRedisClient(configuration) { client in
                try await server.restart()
                try await eventually("connected again") {
                    (try? await client.run(Self.call(7))) == .array([.integer(7)]) && client.isReady
                }
                #expect(try await client.calls(of: "eval") == 0)
                #expect(try await client.calls(of: "script|load") >= 1)
            }
        }
    }

    /// Calls bring the text then.
    @Test func whereThatIsForbiddenNothingIsLost() async throws {
        try await withRedis { server in
            let rules = "ACL SETUSER gate on >secret ~* +@all -script"
            _ = try await withRedisClient(server.configuration) { try await $0.send(rules) }
            var configuration = RedisClientConfiguration(
                endpoint: try RedisEndpoint(url: "redis://gate:secret@127.0.0.1:\(server.port)"))
            configuration.scripts = [Self.script]
            configuration.commandTimeout = .seconds(10)
            try await withRedisClient(configuration) { client in
                let reply = try await client.run(Self.call(7))
                #expect(reply == .array([.integer(7)]))
                let texts = try await client.calls(of: "eval")
                #expect(texts == 1)
            }
        }
    }
}
