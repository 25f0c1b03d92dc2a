import Hiredis
import JSONValue
import NIOPosix
import RedisClient
import StripeBilling
import TestSupport
import Testing
import TollgateConfiguration
import TollgateCore
import TollgateDev
import TollgateServer

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A webhook that its worker does not finish is free for Stripe's next try, whichever way the worker ends.
@Suite(.timeLimit(.minutes(6))) struct WebhookShutdownTests {
    /// Redis, and the stand-ins of which Clerk answers nothing.
    private static func run(
        time: any TimeSource,
        _ body: (RedisServerProcess, _ directory: String, _ environment: [String: String]) async throws -> Void
    ) async throws {
        let identity = try DevelopmentIdentity.shared()
        try await withTemporaryDirectory { directory in
            try await withRedis(in: directory) { redis in
                try await withStandIns(identity: identity, time: time) { stripe, clerk, urls in
                    stripe.put(subscription: Market.subscription())
                    // A reconciliation of the worker's own tells Clerk as well.
                    try await redis.tell("SET reconciliation:lease test")
                    clerk.faults.inject(.stall(.seconds(60)), times: 10)
                    let environment = Worker.environment(redisURL: redis.url, identity: identity).merging(urls) { $1 }
                    try await body(redis, directory, environment)
                }
            }
        }
    }

    /// Delivers an event, and returns when it is in work.
    private static func deliver(to port: Int, at time: UnixTime, _ redis: RedisServerProcess) async throws {
        let body = Market.event("checkout.session.completed", Market.checkout(), created: time).text
        let signature = WebhookSignature.sign(payload: Array(body.utf8), secret: Market.webhookSecret, at: time)
        let client = try await RawClient.connect(port: port)
        try await client.send(
            Wire.post("/webhook/stripe", fields: "Stripe-Signature: \(signature)\r\n", body: body))
        try await withRedisClient(redis.patientConfiguration) { redis in
            try await eventually("Clerk is being told") {
                let claim = try await redis.send("GET webhook:stripe:{evt_1}").string
                let isTelling = try await redis.send("EXISTS subscription:{user_abc}:clerk").integer == 1
                return claim?.hasPrefix("claimed ") == true && isTelling
            }
        }
    }

    /// No worker has a claim on the event, or the turn to tell Clerk of its user.
    private static func isFree(_ redis: RedisServerProcess) async throws -> Bool {
        try await withRedisClient(redis.patientConfiguration) { redis in
            let event = try await redis.send("EXISTS webhook:stripe:{evt_1}").integer
            let turn = try await redis.send("EXISTS subscription:{user_abc}:clerk").integer
            return event == 0 && turn == 0
        }
    }

    @Test func oneThatIsFinishedFirstIsFree() async throws {
        try await Self.run(time: SystemClock()) { redis, _, environment in
            try await withWorkers(1, environment: environment) { workers in
                try await Self.deliver(to: workers[0].port, at: SystemClock().now(), redis)
                workers[0].process.signal(SIGTERM)
                let status = await workers[0].process.wait()
                #expect(status == .exited(0))
                #expect(try await Self.isFree(redis))
            }
        }
    }

    /// Time is up: everything is cancelled at once.
    @Test(.tags(.measuresTime)) func oneThatIsCutOffIsFree() async throws {
        let time = ManualTime(UnixTime(seconds: 1_764_198_000))
        try await Self.run(time: time) { redis, directory, environment in
            let configuration = try GatewayConfiguration.load(
                flags: [:], environment: environment, workingDirectory: directory)
            let gateway = try Gateway(
                configuration: configuration, time: time, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
                logger: .silent)
            let running = Task { try? await gateway.run(handlesSignals: false) }
            do {
                let port = try #require(await gateway.addresses.opened()).publicPort
                try await eventually("the gateway is ready") { await gateway.isReady() }
                try await Self.deliver(to: port, at: time.now(), redis)
            } catch {
                running.cancel()
                throw error
            }
            running.cancel()
            let (_, duration) = await timed { await running.value }
            #expect(duration < .seconds(3))
            #expect(try await Self.isFree(redis))
        }
    }
}
