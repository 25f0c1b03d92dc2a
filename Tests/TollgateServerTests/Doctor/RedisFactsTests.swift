import Hiredis
import RedisClient
import Testing
import TollgateStore

@testable import TollgateServer

/// What the doctor thinks of facts, without a server.
@Suite struct RedisFactsTests {
    private static func findings(
        _ info: [String: String] = [:], settings: [String: String] = [:], ahead: Int64 = 0,
        sample: KeySample = KeySample()
    ) -> [Finding] {
        let lines = ["redis_version": "7.2.4", "role": "master"].merging(info) { $1 }.map { "\($0):\($1)" }
        return RedisFacts(
            latency: .success(.milliseconds(1)), info: .success(RedisServerInfo(lines.joined(separator: "\r\n"))),
            settings: settings, clockAheadMilliseconds: .success(ahead), sample: .success(sample)
        ).findings(user: "gateway", timeoutMilliseconds: 200)
    }

    private static func verdict(_ code: String, _ findings: [Finding]) -> Finding.Verdict? {
        findings.first { $0.code == code }?.verdict
    }

    /// What INFO says, the check, and its verdict.
    @Test(
        arguments: [
            ([:], "role", Finding.Verdict.ok), (["role": "slave"], "role", .fail),
            ([:], "version", .ok), (["redis_version": "6.2.0"], "version", .ok),
            (["redis_version": "6.0.16"], "version", .fail), (["redis_version": "10.0.0"], "version", .ok),
            (["valkey_version": "9.0.0"], "version", .ok), (["mvcc_depth": "0"], "version", .warn),
            (["dragonfly_version": "df-v1.30.0"], "version", .warn),
            (["cluster_enabled": "1"], "mode", .fail),
            (["maxmemory_policy": "noeviction"], "eviction-policy", .ok),
            (["maxmemory_policy": "allkeys-lru"], "eviction-policy", .warn),
            (["evicted_keys": "0"], "keys-evicted", .ok), (["evicted_keys": "1"], "keys-evicted", .warn),
            (["used_memory": "90", "maxmemory": "100"], "memory", .ok),
            (["used_memory": "91", "maxmemory": "100"], "memory", .warn),
            (["used_memory": "75", "maxmemory": "0", "total_system_memory": "100"], "memory", .ok),
            (["used_memory": "76", "maxmemory": "0", "total_system_memory": "100"], "memory", .warn),
            (["aof_enabled": "0"], "append-only-file", .warn), (["aof_enabled": "1"], "append-only-file", .ok),
            (
                ["aof_enabled": "1", "aof_last_write_status": "err", "aof_last_bgrewrite_status": "ok"],
                "append-only-file-writes", .fail
            ),
            (["rdb_last_bgsave_status": "err"], "snapshot", .fail), (["rdb_last_bgsave_status": "ok"], "snapshot", .ok),
            (["connected_clients": "80", "maxclients": "100"], "clients", .ok),
            (["connected_clients": "81", "maxclients": "100"], "clients", .warn),
            (["number_of_cached_scripts": "20"], "script-cache", .ok),
            (["number_of_cached_scripts": "5000"], "script-cache", .warn),
            (["connected_slaves": "0"], "replicas", .ok), (["connected_slaves": "0"], "min-replicas", .skipped),
            (
                ["connected_slaves": "1", "slave0": "ip=10.0.0.2,port=6379,state=online,offset=90,lag=0"], "replicas",
                .ok
            ),
            (
                ["connected_slaves": "1", "slave0": "ip=10.0.0.2,port=6379,state=wait_bgsave,offset=0,lag=0"],
                "replicas",
                .warn
            ),
            (
                ["connected_slaves": "1", "slave0": "ip=10.0.0.2,port=6379,state=online,offset=90,lag=11"], "replicas",
                .warn
            ),
            (
                [
                    "connected_slaves": "1", "slave0": "ip=10.0.0.2,port=6379,state=online,offset=90,lag=0",
                    "master_repl_offset": "20000000",
                ], "replicas", .warn
            ),
        ] as [([String: String], String, Finding.Verdict)])
    func info(info: [String: String], code: String, verdict: Finding.Verdict) {
        #expect(Self.verdict(code, Self.findings(info)) == verdict)
    }

    @Test(
        arguments: [
            // With one replica, calls would be refused whenever one of the two is away.
            ("0", [:], Finding.Verdict.ok), ("1", ["min_slaves_good_slaves": "1"], .warn),
            ("0", ["connected_slaves": "2"], .warn),
            ("1", ["connected_slaves": "2", "min_slaves_good_slaves": "2"], .ok),
            ("2", ["min_slaves_good_slaves": "1"], .fail), (nil, ["min_slaves_good_slaves": "0"], .fail),
            (nil, [:], .skipped),
        ] as [(String?, [String: String], Finding.Verdict)])
    func minimumOfReplicas(minimum: String?, more: [String: String], verdict: Finding.Verdict) {
        let replica = ["connected_slaves": "1", "slave0": "ip=10.0.0.2,port=6379,state=online,offset=90,lag=0"]
        let settings = minimum.map { ["min-replicas-to-write": $0] } ?? [:]
        let findings = Self.findings(replica.merging(more) { $1 }, settings: settings)
        #expect(Self.verdict("min-replicas", findings) == verdict)
    }

    @Test(
        arguments: [("everysec", .ok), ("always", .ok), ("no", .warn), (nil, .skipped)] as [(String?, Finding.Verdict)])
    func fsync(policy: String?, verdict: Finding.Verdict) {
        let settings = policy.map { ["appendfsync": $0] } ?? [:]
        #expect(Self.verdict("fsync", Self.findings(["aof_enabled": "1"], settings: settings)) == verdict)
    }

    @Test(
        arguments: [(0, .ok), (1000, .ok), (-1000, .ok), (1001, .warn), (-5000, .warn)] as [(Int64, Finding.Verdict)])
    func clock(ahead: Int64, verdict: Finding.Verdict) {
        #expect(Self.verdict("clock", Self.findings(ahead: ahead)) == verdict)
    }

    /// The overview shows what the doctor warns of, in the same words.
    @Test func theOverviewHasTheSameRules() {
        let info = RedisServerInfo("role:slave\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:0")
        let findings = info.findings.filter(\.isWrong)
        #expect(info.warnings.map(\.code) == ["replica", "eviction-policy", "no-append-only-file"])
        #expect(info.warnings.map(\.message) == findings.map { "\($0.found) \($0.remedy ?? "")" })
        let clock = RedisWarning(clockAhead: 2500)
        #expect(clock?.code == "clocks-differ" && clock?.message.contains("2.5 s ahead of") == true)
        #expect(RedisWarning(clockAhead: 900) == nil)
    }

    @Test func keysAreCompared() {
        var sample = KeySample()
        sample.add("usage:{user_abc}", type: "hash", ttlMilliseconds: 1000)
        sample.add("usage:{user_def}", type: "hash", ttlMilliseconds: -1)
        sample.add("user:{user_def}:platformId", type: "string", ttlMilliseconds: -1)
        sample.add("ratelimit:{user_def}:1", type: "hash", ttlMilliseconds: 1000)
        sample.add("session:secret", type: "string", ttlMilliseconds: -1)
        sample.add("usage:{gone}", type: "none", ttlMilliseconds: -2)
        #expect(sample.count == 5)
        #expect(sample.withoutTTL == ["usage:{user_def}"])
        #expect(sample.ofWrongType == ["ratelimit:{user_def}:1 (hash)"])
        #expect(sample.strange == ["session…": 1])
        let findings = Self.findings(sample: sample)
        for code in ["ttl", "types", "names"] { #expect(Self.verdict(code, findings) == .warn, "\(code)") }
        #expect(!findings.contains { $0.found.contains("secret") })
    }

    /// In the words of Redis 6.2, 7.0, and 7.2 and Valkey.
    @Test(arguments: [
        (
            "NOPERM this user has no permissions to run the 'hincrby' command or its subcommand",
            "NOPERM this user has no permissions to access one of the keys used as arguments"
        ),
        (
            "NOPERM this user has no permissions to run the 'hincrby' command",
            "NOPERM this user has no permissions to access one of the keys used as arguments"
        ),
        (
            "NOPERM User gateway has no permissions to run the 'hincrby' command",
            "NOPERM No permissions to access a key"
        ),
    ])
    func permissions(command: String, key: String) {
        func refusal(_ message: String) -> Result<RedisReply, RedisError> {
            .failure(.server(kind: String(message.prefix { $0 != " " }), message: message))
        }
        var facts = PermissionFacts()
        facts.took(refusal(command), command: "hincrby")
        facts.took(refusal(key), command: "get")
        facts.took(refusal("NOSCRIPT No matching script"), command: "evalsha")
        facts.took(refusal("ERR unknown command 'getdel'"), command: "getdel")
        facts.took(refusal("OOM command not allowed"), command: "set")
        facts.took(refusal(key), pattern: "ticket:*")
        facts.took(refusal(command), pattern: "usage:*")
        #expect(facts.forbiddenCommands == ["hincrby"] && facts.unknownCommands == ["getdel"])
        #expect(facts.forbiddenPatterns == ["ticket:*"] && facts.refusals == ["OOM command not allowed"])
        let findings = facts.findings(user: "gateway")
        #expect(
            findings.map(\.remedy) == [
                "ACL SETUSER gateway +hincrby", "ACL SETUSER gateway ~ticket:*",
                "Use Redis 6.2 or newer or Valkey, without renamed commands.",
                "Raise maxmemory, or let Redis keep less.",
            ])
        #expect(PermissionFacts().findings(user: "gateway").map(\.verdict) == [.ok, .ok])
        var untried = PermissionFacts()
        untried.took(refusal(command), pattern: "usage:*")
        #expect(untried.findings(user: "gateway").map(\.verdict) == [.ok, .skipped])
        var courtesy = PermissionFacts()
        courtesy.forbiddenCommands = ["client|setname"]
        #expect(courtesy.findings(user: "gateway").map(\.verdict) == [.warn, .ok])
    }

    @Test(
        arguments: [(1, .ok), (49, .ok), (50, .warn), (199, .warn), (200, .fail)] as [(Int, Finding.Verdict)])
    func latency(milliseconds: Int, verdict: Finding.Verdict) {
        var trial = AdmissionTrial()
        trial.durations =
            Array(repeating: .milliseconds(1), count: 190) + Array(repeating: .milliseconds(milliseconds), count: 10)
        trial.admitted = 200
        let findings = trial.findings(timeoutMilliseconds: 200)
        #expect(Self.verdict("latency", findings) == verdict)
        #expect(Self.verdict("admissions", findings) == .ok)
        trial.admitted = 199
        #expect(Self.verdict("admissions", trial.findings(timeoutMilliseconds: 200)) == .fail)
    }

    @Test(arguments: [
        ("Redis answered: WRONGPASS invalid username-password pair or user is disabled.", "login"),
        ("Redis answered: NOAUTH Authentication required.", "login"),
        ("connection reset by peer (error set): Connection refused (errno: 111)", "connection"),
        ("the name nowhere.invalid was not resolved: Name or service not known", "connection"),
        ("handshakeFailed(NIOSSL.BoringSSLError.sslError([WRONG_VERSION_NUMBER]))", "encryption"),
        ("handshakeFailed(NIOSSL.BoringSSLError.sslError([CERTIFICATE_VERIFY_FAILED]))", "encryption"),
        ("Redis answered: ERR max number of clients reached", "connection"),
        ("something that was not thought of", "connection"),
    ])
    func troubles(reason: String, code: String) {
        let finding = ConnectionDiagnosis(reason: reason).finding(place: "redis://host:6379/0")
        #expect(finding.code == code && finding.verdict == .fail)
        #expect(finding.found.contains(reason) && finding.remedy?.isEmpty == false)
    }
}
