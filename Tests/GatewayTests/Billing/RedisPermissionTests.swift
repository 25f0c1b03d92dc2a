import Hiredis
import JSONValue
import NIOCore
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer
import TollgateStore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The users of `deploy/redis/users.acl`: each may do its work, and little else.
@Suite struct RedisPermissionTests {
    @Test func aGatewayMayDoAllItsWork() async throws {
        let time = ManualTime(UnixTime(seconds: 1_764_198_000))
        try await withTemporaryDirectory { directory in
            let identity = try DevelopmentIdentity.shared()
            let arguments = try RedisUsers.arguments(in: directory) + ["--maxmemory-policy", "noeviction"]
            try await withRedis(in: directory, extraArguments: arguments) { redis in
                let url = Self.url(of: redis, as: "gateway")
                try await withStandIns(identity: identity, time: time) { stripe, clerk, urls in
                    let environment = Worker.environment(redisURL: url, identity: identity)
                        .merging(Fleet.patience) { $1 }.merging(urls) { $1 }
                    try await withGateways(1, environment: environment, directory: directory, time: time) { ports in
                        let market = Market(
                            gateways: ports, stripe: stripe, clerk: clerk, clerkURL: "", redis: redis, time: time,
                            identity: identity, port: ports[0].publicPort)
                        try await Self.useEverything(in: market.behind(ports[0].publicPort))
                    }
                    try await Self.reserve(url: url, at: time.now())
                }
                let refusals = try await withRedisClient(redis.configuration) { client in
                    try await client.send("ACL LOG").array?.count
                }
                #expect(refusals == 0)
            }
        }
    }

    /// Finds its servers, and keys on the way from one to another.
    @Test func aGatewayMayDoItsWorkAtACluster() async throws {
        let setting = try RedisUsers.setting("gateway")
        let identity = try DevelopmentIdentity.shared()
        let time = ManualTime(UnixTime(seconds: 1_764_198_000))
        try await ClusterProcesses.run { cluster in
            for server in cluster.servers {
                let answer = try await cluster.ask(server, setting)
                #expect(answer == .status("OK"))
            }
            let url = cluster.url().replacing("://", with: "://gateway:\(RedisUsers.password)@")
            let environment = Worker.environment(redisURL: url, identity: identity)
            try await withGateways(1, environment: environment, directory: "/tmp", time: time) { ports in
                func verify(_ user: String) async throws -> Int {
                    let token = try identity.token(user: user, plan: "free", now: time.now(), lifetimeSeconds: 3600)
                    return try await HTTP.verify(token, port: ports[0].publicPort).status
                }
                for number in 1...12 {
                    let status = try await verify("user_\(number)")
                    #expect(status == 200)
                }
                let slot = try #require(
                    try await cluster.ask(cluster.servers[0], "CLUSTER KEYSLOT usage:{user_1}").integer)
                let source = try await cluster.owner(of: Int(slot))
                let target = try #require(cluster.servers.first { $0 !== source })
                let move = try await cluster.beginMoving(slot: Int(slot), from: source, to: target)
                while try await cluster.moveKeys(move) > 0 {}
                _ = try await verify("user_1")
                try await cluster.endMoving(move)
                try await eventually("the user is found at the other server") { try await verify("user_1") == 200 }
            }
            for server in cluster.servers {
                let refusals = try await cluster.ask(server, "ACL LOG").array
                #expect(refusals?.isEmpty == true, "\(refusals ?? [])")
            }
        }
    }

    /// Redis reads its append-only file in the name of the default user, who is off.
    @Test func whatWasCountedOutlivesARestart() async throws {
        try await withTemporaryDirectory { directory in
            let server = try await RedisServerProcess.start(
                directory: directory + "/redis", persistence: .appendOnly,
                extraArguments: RedisUsers.arguments(in: directory, opensDefault: false))
            do {
                let configuration = RedisClientConfiguration(
                    endpoint: try RedisEndpoint(url: Self.url(of: server, as: "gateway")), commandTimeout: .seconds(5))
                let script = RedisScript(
                    source: "redis.call('HINCRBY', KEYS[1], 'usageCount', 1) return redis.call('EXPIRE', KEYS[1], 1000)"
                )
                _ = try await withRedisClient(configuration) { client in
                    try await client.run(RedisScript.Call(script, keys: ["usage:{user_abc}"], arguments: []))
                }
                try await server.restart()
                let counted = try await withRedisClient(configuration) { client in
                    try await client.execute(RedisCommand("HGET", "usage:{user_abc}", "usageCount")).string
                }
                #expect(counted == "1")
                await server.stop()
            } catch {
                await server.stop()
                throw error
            }
        }
    }

    /// Commands as they would be sent, by users who may and who may not.
    @Test(arguments: [
        ("gateway", "SET user:{a}:platformId 1", true), ("gateway", "SET elsewhere 1", false),
        ("gateway", "KEYS *", false), ("gateway", "FLUSHALL", false), ("gateway", "CONFIG GET port", false),
        ("gateway", "PUBLISH news 1", false), ("gateway", "SCAN 0", false), ("gateway", "ACL LIST", false),
        ("operator", "HGETALL usage:{a}", true), ("operator", "HSET subscription:{a} plan paid status active", true),
        ("operator", "HINCRBY usage:{a} usageCount -100", true), ("operator", "EXPIRE subscription:{a} 100", true),
        ("operator", "SCAN 0 MATCH ticket:{a}*", true), ("operator", "ACL LOG", true), ("operator", "INFO", true),
        ("operator", "SLOWLOG GET 1", true), ("operator", "CONFIG GET maxmemory", true),
        ("operator", "ACL SETUSER gateway on >another", true), ("operator", "CLIENT LIST", true),
        ("operator", "CLIENT PAUSE 1 WRITE", true),
        ("operator", "FLUSHALL", false), ("operator", "KEYS *", false), ("operator", "SHUTDOWN NOSAVE", false),
        ("replica", "PING", true), ("replica", "GET usage:{a}", false), ("replica", "FLUSHALL", false),
        ("sentinel", "INFO", true), ("sentinel", "GET usage:{a}", false), ("sentinel", "CONFIG GET port", false),
    ])
    func usersMayDoThatMuch(user: String, line: String, isPermitted: Bool) async throws {
        try await withTemporaryDirectory { directory in
            try await withRedis(in: directory, extraArguments: RedisUsers.arguments(in: directory)) { redis in
                let client = try await RawClient.connect(port: redis.port)
                try await client.send("AUTH \(user) \(RedisUsers.password)\r\n")
                try await client.waits(for: "+OK\r\n")
                client.clear()
                try await client.send(line + "\r\n")
                try await client.waits(for: "\r\n")
                #expect(client.text.hasPrefix("-NOPERM") != isPermitted, "\(client.text)")
                try await client.close()
            }
        }
    }

    /// The file as it is delivered lets no client in: it has no passwords.
    @Test func nobodyGetsInUntilTheFileHasPasswords() async throws {
        try await withRedis(extraArguments: ["--aclfile", RedisUsers.deployedFile]) { redis in
            for user in ["default", "gateway", "operator", "replica", "sentinel"] {
                for password in [#""""#, RedisUsers.password] {
                    let answer = try await RawClient.ask(redis.port, "AUTH \(user) \(password)\r\n") {
                        $0.hasSuffix("\r\n")
                    }
                    #expect(answer.hasPrefix("-WRONGPASS"), "\(user): \(answer)")
                }
            }
            let answer = try await RawClient.ask(redis.port, "GET usage:{a}\r\n") { $0.hasSuffix("\r\n") }
            #expect(answer.hasPrefix("-NOAUTH"), "\(answer)")
        }
    }

    private static func url(of redis: RedisServerProcess, as user: String) -> String {
        redis.url.replacing("redis://", with: "redis://\(user):\(RedisUsers.password)@")
    }

    /// What the doctor looks for is what the deployed users have.
    @Test func thereIsOneListOfPermissions() throws {
        let lines = try String(contentsOfFile: RedisUsers.deployedFile, encoding: .utf8).split(separator: "\n")
        let words = try #require(lines.first { $0.hasPrefix("user gateway ") }).split(separator: " ").map(String.init)
        let commands = words.filter { $0.hasPrefix("+") }.map { String($0.dropFirst()) }
        let patterns = words.filter { $0.hasPrefix("~") }.map { String($0.dropFirst()) }
        #expect(Set(commands) == Set(RedisPermissions.commands(inCluster: true).map(\.name)))
        #expect(Set(patterns) == Set(RedisPermissions.keyPatterns))
    }

    private static func useEverything(in market: Market) async throws {
        let verified = try await market.verify("user_abc")
        #expect(verified.status == 200)
        for (method, path) in [("POST", "/generate-credentials"), ("GET", "/get-credentials")] {
            let answer = try await market.call(method, path, "user_abc")
            #expect(answer.status == 200)
        }
        try await useKeys(in: market)
        for path in ["/overview.json", "/explain/user_abc"] {
            let answer = try await HTTP.get(path, port: market.gateways[0].adminPort)
            #expect(answer.status == 200 && !answer.body.contains("not-permitted"), "\(answer.body)")
        }
        let account = try await market.call("GET", "/account", "user_abc")
        #expect(account.status == 200)
        // Told once at least.
        try await eventually("the worker has told of itself") {
            try await HTTP.get("/overview.json", port: market.gateways[0].adminPort).body.contains("user_abc")
        }
        try await market.buy("user_abc")
        let id = try #require(market.subscription(of: "user_abc")?["id"].string)
        market.clerk.faults.inject(.status(500), times: 3)
        try market.stripe.cancel(id)
        try await market.webhooksAreDone()
        // A subscription without metadata is looked up by its customer.
        let nameless: JSON = [
            "id": .string(id), "object": "subscription", "status": "canceled", "metadata": [:],
            "customer": market.subscription(of: "user_abc")?["customer"] ?? .null,
        ]
        market.stripe.put(subscription: nameless)
        let answer = try await market.deliver(
            Market.event("customer.subscription.deleted", nameless, created: market.time.now().adding(seconds: 9)))
        #expect(answer.status == 200)
        #expect(market.clerk.publicMetadata(of: "user_abc")?["plan"] == "free")
    }

    /// The lives of keys of both kinds.
    private static func useKeys(in market: Market) async throws {
        func call(_ key: String, _ method: String = "POST", _ path: String = "/verify-auth") async throws -> Int {
            try await HTTP.send(method, path, port: market.port, headers: [("X-API-Key", key)]).status
        }
        let credentials = try await market.call("GET", "/get-credentials", "user_keys")
        #expect(credentials.status == 404)
        let platform = try await market.call("POST", "/generate-credentials", "user_keys")
        let platformStatus = try await call(try #require(platform.member("apiKey")))
        #expect(platformStatus == 200)
        for path in ["/generate-credentials/rotate", "/generate-credentials/rotate", "/generate-credentials/revoke"] {
            let answer = try await market.call("POST", path, "user_keys")
            #expect(answer.status == 200, "\(path): \(answer.body)")
        }
        let ended = try await call(try #require(platform.member("apiKey")))
        #expect(ended == 401)

        let made = try await market.call("POST", "/keys", "user_keys", body: #"{"name":"CI","expiresInDays":1}"#)
        let (id, key) = (try #require(made.member("id"), "\(made.body)"), try #require(made.member("key")))
        for (method, path) in [("POST", "/verify-auth"), ("GET", "/usage")] {
            let status = try await call(key, method, path)
            #expect(status == 200, "\(path)")
        }
        for (method, path) in [("GET", "/keys"), ("POST", "/keys/\(id)/rotate"), ("DELETE", "/keys/\(id)")] {
            let answer = try await market.call(method, path, "user_keys")
            #expect(answer.status == 200, "\(path): \(answer.body)")
        }
        let revoked = try await call(key)
        #expect(revoked == 401)
        let ticket = try await market.call("POST", "/tickets", "user_keys")
        let path = "/authorize/x?tollgate_ticket=\(try #require(ticket.member("ticket"), "\(ticket.body)"))"
        let opened = try await HTTP.get(path, port: market.port)
        #expect(opened.status == 200)
        for number in 1...KeyLimits.maximumCount + 1 {
            let answer = try await market.call("POST", "/keys", "user_keys", body: #"{"name":"CI"}"#)
            #expect(answer.status == (number > KeyLimits.maximumCount ? 409 : 201), "\(answer.body)")
        }
    }

    /// Charging by outcome: a repeat, a reservation that is given back, one whose lease runs out; and booking.
    private static func reserve(url: String, at time: UnixTime) async throws {
        let user = try #require(UserID("user_routes"))
        func request(_ id: String, after seconds: Int64, repeats: Bool) throws -> AdmissionRequest {
            AdmissionRequest(
                principal: Principal(userID: user), time: time.adding(seconds: seconds),
                idempotentCall: repeats ? IdempotentCall(key: "call-1", fingerprint: "GET/") : nil,
                reservation: Reservation.Request(id: id, leaseSeconds: 30))
        }
        let configuration = RedisClientConfiguration(endpoint: try RedisEndpoint(url: url))
        try await withRedisClient(configuration) { client in
            let store = RedisAdmissionStore(client: client, plans: .standard)
            let failed = try await store.admit(try request("one", after: 0, repeats: true))
            try await store.settle(try #require(failed.reservation), as: .giveBack)
            let kept = try #require(try await store.admit(try request("two", after: 1, repeats: true)).reservation)
            #expect(try await store.renew(kept, until: time.adding(seconds: 31)))
            let answer = try #require(StoredAnswer(status: 200, head: [], body: []))
            try await store.settle(kept, as: .keepAndReplay(answer))
            let again = try await store.admit(try request("three", after: 1, repeats: true))
            #expect(again.outcome == .replayed)
            _ = try await store.admit(try request("four", after: 1, repeats: false))
            let later = try await store.admit(try request("five", after: 40, repeats: false))
            #expect(later.usage.count == 2, "the call of 'four' came back")
            let passed = OutageBook.Line(day: CalendarDay(containing: time), route: "other", calls: 3)
            let batch = OutageBook.Batch(userID: user, number: 1, lines: [passed])
            try await store.book(batch, passing: "worker-1", at: time)
            let booked = try await store.peek(try request("six", after: 40, repeats: false))
            #expect(booked.usage.count == 5)
        }
    }
}
