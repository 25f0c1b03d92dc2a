import Hiredis
import RedisClient
import TestSupport
import Testing
import TollgateCore
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The README's line for Redis' ACL: a gateway that may do that much, and nothing else, can do all its work.
@Suite struct RedisPermissionTests {
    @Test func theDocumentedPermissionsAreEnough() async throws {
        let time = ManualTime(UnixTime(seconds: 1_764_198_000))
        let line = try Self.documentedLine()
        try await withTemporaryDirectory { directory in
            let identity = try DevelopmentIdentity(directory: directory, issuer: "https://identity.test")
            try await withRedis(in: directory) { redis in
                let done = try await withRedisClient(redis.configuration) { client in
                    try await client.send("CONFIG SET maxmemory-policy noeviction")
                    return try await client.send(line)
                }
                #expect(done.string == "OK")
                try await withStandIns(identity: identity, time: time) { stripe, clerk, urls in
                    let url = redis.url.replacing("redis://", with: "redis://gateway:password@")
                    let environment = Worker.environment(redisURL: url, identity: identity).merging(urls) { $1 }
                    try await withGateways(1, environment: environment, directory: directory, time: time) { ports in
                        let market = Market(
                            gateways: ports, stripe: stripe, clerk: clerk, clerkURL: "", redis: redis, time: time,
                            identity: identity, port: ports[0].publicPort)
                        try await Self.useEverything(in: market.behind(ports[0].publicPort))
                    }
                }
                let refusals = try await withRedisClient(redis.configuration) { client in
                    try await client.send("ACL LOG").array?.count
                }
                #expect(refusals == 0)
            }
        }
    }

    private static func useEverything(in market: Market) async throws {
        let verified = try await market.verify("user_abc")
        #expect(verified.status == 200)
        for (method, path) in [("POST", "/generate-credentials"), ("GET", "/get-credentials")] {
            let answer = try await market.call(method, path, "user_abc")
            #expect(answer.status == 200)
        }
        try await market.buy("user_abc")
        let id = try #require(market.subscription(of: "user_abc")?["id"].string)
        market.clerk.faults.inject(.status(500), times: 3)
        try market.stripe.cancel(id)
        try await market.webhooksAreDone()
        // An event without metadata is looked up by its customer.
        let nameless: JSONValue = [
            "id": .string(id), "object": "subscription", "status": "canceled", "metadata": [:],
            "customer": market.subscription(of: "user_abc")?["customer"] ?? .null,
        ]
        let answer = try await market.deliver(
            Market.event("customer.subscription.deleted", nameless, created: market.time.now().adding(seconds: 9)))
        #expect(answer.status == 200)
        #expect(market.clerk.publicMetadata(of: "user_abc")?["plan"] == "free")
    }

    private static func documentedLine() throws -> String {
        let readme = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "README.md")
        let lines = try String(contentsOf: readme, encoding: .utf8).split(separator: "\n").map(String.init)
        let start = try #require(lines.firstIndex { $0.hasPrefix("ACL SETUSER gateway ") })
        return lines[start...].prefix { $0 != "```" }.joined(separator: " ").replacing("\\", with: "")
    }
}
