import Hiredis
import JSONValue
import NIOPosix
import TestSupport
import Testing
import TollgateConfiguration
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Runs the doctor in the test's own process.
func examine(_ settings: [String: String]) async throws -> DoctorReport {
    let identity = try DevelopmentIdentity.shared()
    let environment = Worker.environment(redisURL: "redis://127.0.0.1", identity: identity).merging(settings) { $1 }
        .filter { !$0.value.isEmpty }
    let configuration = try GatewayConfiguration.load(flags: [:], environment: environment, workingDirectory: "/")
    return await Doctor(
        configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: .silent
    ).examine()
}

extension DoctorReport {
    func finding(_ code: String, in section: Finding.Section? = nil) -> Finding? {
        findings.first { $0.code == code && (section == nil || $0.section == section) }
    }

    /// What is to be done about, in one line each.
    var complaints: [String] {
        findings.filter { $0.verdict == .warn || $0.verdict == .fail }.map { "\($0.code) \($0.verdict): \($0.found)" }
    }
}

/// The doctor at real servers: what it says, and that it does no harm.
@Suite struct DoctorTests {
    @Test(.tags(.measuresTime)) func aHealthyServerIsWell() async throws {
        try await withRedis(extraArguments: ["--appendonly", "yes", "--maxmemory", "100mb"]) { redis in
            try await withRedisClient(redis.patientConfiguration) { client in
                try await client.send("HSET usage:{user_abc} usageCount 3")
                try await client.send("EXPIRE usage:{user_abc} 1000")
                let report = try await examine(["REDIS_URL": redis.url])
                #expect(report.complaints.filter { !$0.hasPrefix("latency") } == [])
                #expect(report.finding("admissions")?.found == "200 calls of a user of the doctor's own were admitted")
                #expect(report.finding("commands")?.verdict == .ok && report.finding("key-patterns")?.verdict == .ok)
                #expect(try await client.send("KEYS *").array?.map(\.string) == ["usage:{user_abc}"])
                #expect(try await client.send("HGET usage:{user_abc} usageCount").string == "3")
            }
        }
    }

    @Test func whatIsWrongIsToldWithItsRemedy() async throws {
        try await withRedis(extraArguments: ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]) { redis in
            try await withRedisClient(redis.patientConfiguration) { client in
                try await client.send("SET usage:{user_abc} 3")
                try await client.send("SET session:topsecret 3")
                try await client.send(
                    "ACL SETUSER gateway on >topsecret +@all -hincrby -zadd ~* resetkeys ~usage:* ~ratelimit:*")
                let url = redis.url.replacing("redis://", with: "redis://gateway:topsecret@")
                let report = try await examine(["REDIS_URL": url])
                #expect(report.exitStatus == 2)
                for code in ["append-only-file", "eviction-policy"] {
                    #expect(report.finding(code)?.verdict == .warn, "\(code)")
                }
                let commands = report.finding("commands", in: .permissions)
                #expect(commands?.remedy == "ACL SETUSER gateway +hincrby +zadd")
                #expect(!report.text.contains("topsecret") && !report.json.text.contains("topsecret"))

                try await client.send(#require(commands?.remedy))
                try await client.send(#require(report.finding("key-patterns")?.remedy))
                let mended = try await examine(["REDIS_URL": url])
                #expect(mended.finding("commands")?.verdict == .ok && mended.finding("key-patterns")?.verdict == .ok)
                for code in ["ttl", "types", "names"] {
                    #expect(mended.finding(code)?.verdict == .warn, "\(code): \(mended.text)")
                }
            }
        }
    }

    /// Why there is no connection, as the server or the system says it.
    @Test func aServerThatIsAwayIsOneFailure() async throws {
        let port = try await Loopback.freePort()
        let start = ContinuousClock.now
        let report = try await examine(["REDIS_URL": "redis://127.0.0.1:\(port)"])
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(report.exitStatus == 2 && report.complaints.count == 1, "\(report.text)")
        let connection = report.finding("connection")
        #expect(connection?.found.contains("refused") == true && connection?.remedy?.contains("Start Redis") == true)
    }

    @Test func aNameThatLeadsNowhereIsToldAsSuch() async throws {
        let report = try await examine(["REDIS_URL": "redis://nowhere.invalid:6379"])
        #expect(report.finding("connection")?.found.contains("nowhere.invalid") == true)
        #expect(report.finding("connection")?.remedy?.contains("host in REDIS_URL") == true, "\(report.text)")
    }

    @Test func aLoginThatIsWrongIsToldAsSuch() async throws {
        try await withRedis(extraArguments: ["--requirepass", "right"]) { redis in
            for (login, word) in [("", "NOAUTH"), (":wrong@", "WRONGPASS")] {
                let report = try await examine(["REDIS_URL": "redis://\(login)127.0.0.1:\(redis.port)"])
                let found = report.finding("login")
                #expect(found?.verdict == .fail && found?.found.contains(word) == true, "\(report.text)")
                #expect(!report.text.contains("wrong@"))
            }
            let report = try await examine(["REDIS_URL": "redis://:right@127.0.0.1:\(redis.port)"])
            #expect(report.finding("login")?.verdict == .ok)
        }
    }

    /// With the deployed users, and the password in a file.
    @Test func aWorkersRightsAreEnough() async throws {
        try await withTemporaryDirectory { directory in
            let arguments = try RedisUsers.arguments(in: directory) + ["--appendonly", "yes"]
            try await withRedis(in: directory, extraArguments: arguments) { redis in
                let file = directory + "/password"
                try RedisUsers.password.write(toFile: file, atomically: true, encoding: .utf8)
                let settings = ["REDIS_URL": "redis://gateway@127.0.0.1:\(redis.port)", "REDIS_PASSWORD_FILE": file]
                let report = try await examine(settings)
                #expect(report.complaints.filter { !$0.hasPrefix("latency") } == [], "\(report.text)")
                #expect(report.finding("login")?.found == "as 'gateway'")
                #expect(report.finding("sample")?.verdict == .skipped && report.finding("fsync")?.verdict == .skipped)
                try "another".write(toFile: file, atomically: true, encoding: .utf8)
                let wrong = try await examine(settings)
                #expect(wrong.finding("login")?.verdict == .fail && !wrong.text.contains("another"), "\(wrong.text)")
            }
        }
    }

    @Test func aServerThatHangsIsLeftInTime() async throws {
        try await withRedis { redis in
            redis.suspend()
            let start = ContinuousClock.now
            let report = try await examine(["REDIS_URL": redis.url])
            #expect(ContinuousClock.now - start < .seconds(20))
            #expect(report.exitStatus == 2)
            #expect(report.finding("connection")?.found.contains("does not answer") == true, "\(report.text)")
            redis.resume()
        }
    }

    @Test func tlsWhereThereIsNoneIsToldAsSuch() async throws {
        try await withRedis { redis in
            let report = try await examine(["REDIS_URL": "rediss://127.0.0.1:\(redis.port)"])
            #expect(report.exitStatus == 2 && report.finding("encryption")?.verdict == .fail, "\(report.text)")
            #expect(report.finding("encryption")?.remedy?.contains("redis://") == true)
        }
    }

    @Test func aReplicaIsNoPlaceForAWorker() async throws {
        try await withTwoRedis { primary, replica in
            try await withRedisClient(replica.patientConfiguration) { client in
                try await client.send("REPLICAOF 127.0.0.1 \(primary.port)")
                try await eventually("it follows") {
                    try await client.send("INFO replication").string?.contains("master_link_status:up") == true
                }
            }
            try await withRedisClient(primary.patientConfiguration) { client in
                try await eventually("its primary has heard of it") {
                    try await client.send("INFO replication").string?.contains("state=online") == true
                }
            }
            let report = try await examine(["REDIS_URL": replica.url])
            #expect(report.exitStatus == 2 && report.finding("role")?.verdict == .fail, "\(report.text)")
            let other = try await examine(["REDIS_URL": primary.url])
            #expect(other.finding("replicas")?.verdict == .ok && other.finding("min-replicas")?.verdict == .ok)
        }
    }

    /// The command line: its lines, its JSON, its status.
    @Test func theCommandEndsWithTheStatus() async throws {
        let identity = try DevelopmentIdentity.shared()
        func run(_ arguments: [String], url: String) async throws -> (ChildProcess.ExitStatus, String) {
            let process = try ChildProcess.start(
                Worker.program, ["doctor"] + arguments,
                environment: Worker.environment(redisURL: url, identity: identity), output: .lines)
            var text = ""
            for await line in process.lines { text += line + "\n" }
            return (await process.wait(), text)
        }
        let (status, text) = try await run([], url: "nonsense")
        #expect(status == .exited(2) && text.contains("FAIL  configuration: environment variable REDIS_URL"), "\(text)")
        try await withRedis { redis in
            let (status, text) = try await run(["--json"], url: redis.url)
            #expect(status == .exited(1), "\(text)")
            let json = try #require(JSON(parsing: text.utf8))
            #expect(json["status"] == "warn" && (json["findings"].elements?.count ?? 0) > 10)
        }
    }
}
