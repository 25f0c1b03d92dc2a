import Hiredis
import Testing

@testable import RedisClient

@Suite struct ClusterMapTests {
    // MARK: Slots

    /// Redis' own `CLUSTER KEYSLOT` says so.
    @Test(arguments: [
        ("123456789", 12_739), ("foo", 12_182), ("foo{hash_tag}", 2515), ("somekey", 11_058), ("", 0),
        ("usage:{user_abc}", 7502), ("ratelimit:{user_abc}:29400000", 7502),
    ]) func slotsAreThoseOfRedis(_ key: String, _ slot: Int) {
        #expect(HashSlot(key: key.utf8).number == slot)
    }

    @Test(arguments: [
        ("{user1000}.following", "user1000"), ("foo{{bar}}zap", "{bar"), ("foo{bar}{zap}", "bar"), ("foo{}{bar}", nil),
        ("foo{bar", nil), ("}{", nil), ("no braces", nil),
    ]) func theTagIsWhatStandsBetweenTheFirstBraces(_ key: String, _ tag: String?) {
        let found = HashSlot.tag(of: Array(key.utf8)).map { String(decoding: $0, as: UTF8.self) }
        #expect(found == tag)
    }

    @Test(arguments: [
        (RedisCommand("GET", "{a}"), "{a}"), (RedisCommand("hset", "k", "f", "v"), "k"),
        (RedisCommand("EVALSHA", "sha", "2", "x", "y"), "x"), (RedisCommand("EVAL", "text", "1", "x"), "x"),
        (RedisCommand("TIME"), nil), (RedisCommand("SCRIPT", "LOAD", "text"), nil),
        (RedisCommand("EVAL", "t", "0"), nil),
        (RedisCommand(arguments: []), nil),
    ]) func aCommandGoesWhereItsFirstKeyIs(_ command: RedisCommand, _ key: String?) {
        #expect(command.slot == key.map { HashSlot(key: $0.utf8) })
    }

    @Test func theWitnessLiesBesideItsKey() throws {
        for (key, witness) in [
            ("key:{user_abc}:{k1}", "usage:{user_abc}:moving"), ("workers", "usage:{workers}:moving"),
        ] {
            let call = RedisScript.Call(RedisScript(source: "return 1"), keys: [key], arguments: [])
            let name = MigrationWitness.prefix + (try #require(call.hashTag)) + MigrationWitness.suffix
            #expect(name == witness)
            #expect(HashSlot(key: name.utf8) == HashSlot(key: key.utf8))
        }
        #expect(RedisScript.Call(RedisScript(source: "return 1"), keys: [], arguments: []).hashTag == nil)
    }

    // MARK: What servers tell

    private static func text(_ value: String) -> RedisReply { .bytes(Array(value.utf8)) }

    private static func node(
        _ role: String, port: Int64? = 7000, tlsPort: Int64? = nil, endpoint: RedisReply = text("10.0.0.1"),
        address: String = "10.0.0.1", health: String = "online"
    ) -> RedisReply {
        var fields = [text("id"), text("abc"), text("ip"), text(address), text("endpoint"), endpoint]
        if let port { fields += [text("port"), .integer(port)] }
        if let tlsPort { fields += [text("tls-port"), .integer(tlsPort)] }
        return .array(fields + [text("role"), text(role), text("health"), text(health)])
    }

    private static func shard(_ slots: [RedisReply], _ nodes: [RedisReply]) -> RedisReply {
        .array([text("slots"), .array(slots), text("nodes"), .array(nodes)])
    }

    private static func map(_ shards: [RedisReply], usesTLS: Bool = false) -> ClusterMap? {
        ClusterMap(shards: .array(shards), epoch: 7, from: "asked.example", usesTLS: usesTLS)
    }

    @Test func slotsAreFoundAtTheirPrimary() throws {
        let map = try #require(
            Self.map([
                Self.shard(
                    [.integer(8192), .integer(16_383)],
                    [Self.node("master", port: 7001), Self.node("replica", port: 7003)]),
                Self.shard(
                    [Self.text("0"), Self.text("8191")], [Self.node("replica", port: 7002), Self.node("master")]),
            ]))
        #expect(map.epoch == 7 && map.isWhole && map.slotCounts == [8192, 8192])
        #expect(map.primaries.map(\.port) == [7000, 7001] && map.replicas.map(\.port).sorted() == [7002, 7003])
        let (first, last) = (try #require(HashSlot(number: 0)), try #require(HashSlot(number: 16_383)))
        #expect(map.owner(of: first) == 0 && map.owner(of: last) == 1)
    }

    @Test func slotsOfNobodyAreSaidToBeSo() throws {
        let map = try #require(Self.map([Self.shard([.integer(0), .integer(99)], [Self.node("master")])]))
        let slot = try #require(HashSlot(number: 100))
        #expect(!map.isWhole && map.owner(of: slot) == nil)
        // A server that has failed keeps nothing.
        let failed = try #require(
            Self.map([Self.shard([.integer(0), .integer(99)], [Self.node("master", health: "fail")])]))
        #expect(failed.primaries.isEmpty)
    }

    @Test func aServerIsCalledAsItWishes() throws {
        func place(_ endpoint: RedisReply, address: String = "10.0.0.1") throws -> String? {
            try #require(Self.map([Self.shard([], [Self.node("master", endpoint: endpoint, address: address)])]))
                .primaries.first?.description
        }
        #expect(try place(Self.text("redis-1.example")) == "redis-1.example:7000")
        // No endpoint: where it was asked.
        #expect(try place(.null) == "asked.example:7000")
        #expect(try place(Self.text("")) == "asked.example:7000")
        // A name that is not known to it: its address.
        #expect(try place(Self.text("?")) == "10.0.0.1:7000")
        #expect(try place(Self.text("2001:db8::1")) == "[2001:db8::1]:7000")
    }

    @Test func thePortForTLSCountsWhereTLSIsSpoken() throws {
        let shard = Self.shard([.integer(0), .integer(1)], [Self.node("master", port: 7000, tlsPort: 7100)])
        #expect(Self.map([shard], usesTLS: true)?.primaries.map(\.port) == [7100])
        let plain = Self.shard([.integer(0), .integer(1)], [Self.node("master", port: 7000)])
        #expect(Self.map([plain], usesTLS: true)?.primaries.isEmpty == true)
    }

    @Test func anotherFormIsRefused() {
        #expect(ClusterMap(shards: .status("OK"), epoch: 0, from: "h", usesTLS: false) == nil)
        #expect(Self.map([Self.shard([.integer(5)], [Self.node("master")])]) == nil)
        #expect(Self.map([Self.shard([.integer(5), .integer(16_384)], [Self.node("master")])]) == nil)
        #expect(Self.map([Self.shard([.integer(5), .integer(4)], [Self.node("master")])]) == nil)
        #expect(Self.map([Self.shard([.integer(-1), .integer(4)], [Self.node("master")])]) == nil)
        #expect(Self.map([Self.shard([], [Self.node("master", port: 65_536)])])?.primaries.isEmpty == true)
        #expect(ClusterMap(slots: .array([.array([.integer(0)])]), epoch: 0, from: "h") == nil)
    }

    @Test func whatOlderServersTellIsUnderstood() throws {
        let node: (String, Int64) -> RedisReply = { .array([Self.text($0), .integer($1), Self.text("id")]) }
        let reply = RedisReply.array([
            .array([.integer(0), .integer(99), node("10.0.0.1", 7000), node("10.0.0.2", 7001)]),
            .array([.integer(200), .integer(16_383), node("10.0.0.1", 7000), node("10.0.0.2", 7001)]),
            .array([.integer(100), .integer(199), node("", 7002)]),
        ])
        let map = try #require(ClusterMap(slots: reply, epoch: 1, from: "asked.example"))
        #expect(map.isWhole && map.primaries.map(\.description) == ["10.0.0.1:7000", "asked.example:7002"])
        #expect(map.slotCounts == [16_284, 100])
    }

    // MARK: Redirections

    private static let moved = HostAndPort(host: "127.0.0.1", port: 6381)

    @Test(arguments: [
        ("MOVED 3999 127.0.0.1:6381", Redirection.moved(moved)), ("ASK 3999 127.0.0.1:6381", .ask(moved)),
        ("MOVED 1 2001:db8::1:6381", .moved(HostAndPort(host: "2001:db8::1", port: 6381))),
        ("MOVED 1 :6381", .moved(HostAndPort(host: "asked.example", port: 6381))),
        ("MOVED 1 ?:6381", .moved(HostAndPort(host: "asked.example", port: 6381))),
        ("TRYAGAIN Multiple keys request during rehashing of slot", .tryAgain),
        ("CLUSTERDOWN The cluster is down", .clusterDown), ("MOVED 1 127.0.0.1:0", nil), ("MOVED 1", nil),
        ("MOVED 1 127.0.0.1", nil), ("ERR no", nil), ("MOVED 1 a@b:6381", nil), ("MOVED 1 \u{7F}:6381", nil),
    ]) func redirectionsAreUnderstood(_ message: String, _ expected: Redirection?) {
        #expect(Redirection(RedisError(reply: message), from: "asked.example") == expected)
    }

    /// It stands in logs and on terminals.
    @Test func whatServersSayCommandsNoTerminal() {
        let error = RedisError(reply: "ERR \u{1B}[2J\r\nwell \(String(repeating: "x", count: 1000))")
        #expect("\(error)".unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
        #expect("\(error)".unicodeScalars.count < 600)
    }

    // MARK: When to ask

    @Test func aThousandReasonsMakeFewRounds() {
        var policy = RefreshPolicy(regularNanoseconds: 30_000_000_000)
        #expect(policy.mapIsInDoubt(now: 0) == 0)
        policy.began(now: 0)
        for now in 1...1000 { #expect(policy.mapIsInDoubt(now: Int64(now)) == nil) }
        let next = policy.ended(now: 2000, isNew: true, isInDoubt: false)
        #expect(next == RefreshPolicy.shortestNanoseconds, "one round for all of them")
        policy.began(now: next)
        #expect(policy.ended(now: next + 1, isNew: false, isInDoubt: false) == next + 1 + 30_000_000_000)
    }

    @Test func whatIsInDoubtIsLookedAtAgainAndAgain() {
        var policy = RefreshPolicy(regularNanoseconds: 30_000_000_000)
        var now: Int64 = 1_000_000_000
        var rounds = 0
        while now < 61_000_000_000 {
            policy.began(now: now)
            now = policy.ended(now: now, isNew: false, isInDoubt: true)
            rounds += 1
        }
        #expect((115...125).contains(rounds), "15 s of one each 200 ms, and 45 s of one each second")
    }
}
