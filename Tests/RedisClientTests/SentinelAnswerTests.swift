import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateDev

/// What a sentinel answers in moments in which a real one is seldom met.
@Suite struct SentinelAnswerTests {
    /// A sentinel that leads a failover tells the latest epoch and the old primary together until all replicas follow the
    /// new one, unless it is asked for the address. Where users may not ask for that, the other one must do.
    @Test(arguments: [true, false]) func theNewPrimaryIsFoundBeforeAllReplicasFollowIt(tellsAddress: Bool) async throws
    {
        try await withTwoRedis { old, new in
            let facts = Self.array(["name", "mymaster", "ip", "127.0.0.1", "port", "\(old.port)", "config-epoch", "2"])
            let address = tellsAddress ? Self.array(["127.0.0.1", "\(new.port)"]) : "-NOPERM this user may not\r\n"
            let sentinel = try await ScriptedServer { bytes in
                let answers = Self.commands(in: bytes).map { words in
                    switch words.prefix(2).map({ $0.uppercased() }) {
                    case ["SENTINEL", "MASTER"]: facts
                    case ["SENTINEL", "GET-MASTER-ADDR-BY-NAME"]: address
                    default: words[0].uppercased() == "PING" ? "+PONG\r\n" : "+OK\r\n"
                    }
                }
                return .say(answers.joined())
            }
            let url = "redis-sentinel://127.0.0.1:\(sentinel.port)/mymaster"
            try await withRedisClient(RedisClientConfiguration(endpoint: try RedisEndpoint(url: url))) { client in
                _ = try await client.send("SET usage:{user_abc} 1")
            }
            for (server, isExpected) in [(old, !tellsAddress), (new, tellsAddress)] {
                let count = try await withRedisClient(server.configuration) { try await $0.send("DBSIZE").integer }
                #expect(count == (isExpected ? 1 : 0))
            }
            try await sentinel.close()
        }
    }

    private static func array(_ texts: [String]) -> String {
        "*\(texts.count)\r\n" + texts.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
    }

    /// Commands as clients write them: `*2`, `$4`, `AUTH`, `$6`, `secret`.
    private static func commands(in text: String) -> [[String]] {
        var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)[...]
        var commands: [[String]] = []
        while let head = lines.popFirst(), head.first == "*", let count = Int(head.dropFirst()) {
            let words = lines.prefix(2 * count).enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
            commands.append(words)
            lines = lines.dropFirst(2 * count)
        }
        return commands
    }
}
