import Hiredis
import JSONValue
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

/// `tollgate reconcile` with many subscriptions: gently, and at constant memory.
///
/// `TOLLGATE_SUBSCRIPTIONS=10000` goes through so many, and through a tenth of them to compare the memory. How long it has
/// taken is printed.
@Suite(.timeLimit(.minutes(60)), .tags(.measuresTime)) struct ReconciliationScaleTests {
    /// What Stripe answers in a second in test mode.
    private static let callsPerSecond = 25

    private static let asked = ProcessInfo.processInfo.environment["TOLLGATE_SUBSCRIPTIONS"].flatMap { Int($0) }

    /// Of memory that may vary from run to run, in bytes.
    private static let toleranceBytes = 8 << 20

    @Test func manyAreReconciledGentlyAtConstantMemory() async throws {
        guard let count = Self.asked else {
            _ = try await Self.reconcile(300)
            return
        }
        let few = try await Self.reconcile(count / 10)
        let many = try await Self.reconcile(count)
        #expect(many <= few + Self.toleranceBytes, "\(few >> 10) KB for a tenth, \(many >> 10) KB for all")
    }

    /// Subscriptions of which nothing was told. A tenth is so new that Stripe tells of its events, too.
    ///
    /// - Returns: The most memory that was resident, in bytes.
    private static func reconcile(_ count: Int) async throws -> Int {
        let identity = try DevelopmentIdentity.shared()
        // What was sold was sold a while ago.
        let time = ManualTime(SystemClock().now().adding(seconds: -3600))
        var peak = 0
        try await withRedis { redis in
            try await withStandIns(identity: identity, time: time, callsPerSecond: callsPerSecond) {
                stripe, _, settings in
                for number in 0..<count { try sell(number, stripe, isNew: number >= count - count / 10, time) }
                time.advance(seconds: 3600)
                let environment = Worker.environment(redisURL: redis.url, identity: identity)
                    .merging(settings) { $1 }.filter { $0.key != "CLERK_SECRET_KEY" }
                for (run, mended) in [("nothing known", count), ("all known", 0)] {
                    let calls = stripe.callCount
                    let found = try await timed { try await reconcile(environment) }
                    let made = stripe.callCount - calls
                    let seconds = found.duration / .seconds(1)
                    #expect(found.result.line.hasSuffix(", \(mended) mended"), "\(found.result.line)")
                    #expect(stripe.refusedCallCount == 0, "\(run): Stripe has answered 429")
                    #expect(stripe.busiestSecond <= callsPerSecond, "\(run): calls in a second")
                    peak = max(peak, found.result.peak)
                    print(
                        "\(count) subscriptions, \(run): \(seconds.rounded(.up)) s, \(made) calls,",
                        "\((Double(made) / seconds).rounded()) a second, at most \(stripe.busiestSecond),",
                        "\(found.result.peak >> 20) MB; \(found.result.line)")
                }
                let kept = try await withRedisClient(redis.configuration) { client in
                    try await client.send("HGET subscription:{user_\(count - 1)} plan").string
                }
                #expect(kept == "paid")
            }
        }
        return peak
    }

    private static func sell(_ number: Int, _ stripe: StripeStandIn, isNew: Bool, _ time: ManualTime) throws {
        let (user, customer) = ("user_\(number)", "cus_\(number)")
        if isNew {
            stripe.addCustomer(customer)
            try stripe.subscribe(customer, to: ["price_paid"], metadata: ["userId": user])
        } else {
            stripe.put(
                subscription: Market.subscription(
                    id: "sub_\(number)", user: user, customer: customer, created: time.now().seconds - 86_400))
        }
    }

    /// - Returns: What the command said last, and the most memory that it had resident.
    private static func reconcile(_ environment: [String: String]) async throws -> (line: String, peak: Int) {
        let process = try ChildProcess.start(Worker.program, ["reconcile"], environment: environment, output: .lines)
        async let peak = residentPeak(of: process)
        var lines: [String] = []
        for await line in process.lines { lines.append(line) }
        #expect(await process.wait() == .exited(0), "\(lines)")
        return (lines.last ?? "", await peak)
    }

    /// Looks until the process is gone.
    private static func residentPeak(of process: ChildProcess) async -> Int {
        var peak = 0
        while let now = process.residentPeak() {
            peak = max(peak, now)
            try? await Task.sleep(for: .milliseconds(20))
        }
        return peak
    }
}
