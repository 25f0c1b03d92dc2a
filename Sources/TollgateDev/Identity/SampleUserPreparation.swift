import Hiredis
package import Logging
import NIOPosix
import RedisClient
package import TollgateCore
import TollgateStore

/// Puts the ``SampleUser``s into their states: usage and days in Redis, purchases at the stand-in of Stripe, whose
/// webhooks tell the gateway. Each start of `tollgate dev` begins them anew.
package struct SampleUserPreparation: Sendable {
    /// A plan and `price_…` that sells it.
    package struct Sale: Sendable {
        let plan: String
        let price: String

        package init(plan: String, price: String) { (self.plan, self.price) = (plan, price) }
    }

    private let redisURL: String
    private let stripe: StripeStandIn
    private let sale: Sale?
    private let time: any TimeSource
    private let logger: Logger

    /// - Parameters:
    ///   - stripe: It knows where the gateway hears webhooks by the time of ``run()``.
    ///   - sale: What those who pay have bought. Nil leaves them on the fallback.
    package init(redisURL: String, stripe: StripeStandIn, sale: Sale?, time: any TimeSource, logger: Logger) {
        self.redisURL = redisURL
        self.stripe = stripe
        self.sale = sale
        self.time = time
        self.logger = logger
    }

    /// Without them everything else works, so a failure is only logged.
    package func run() async {
        do {
            try await prepare()
        } catch {
            logger.error("the sample users could not be prepared", metadata: ["cause": "\(error)"])
        }
    }

    private func prepare() async throws {
        let redis = try RedisClient(
            configuration: RedisClientConfiguration(endpoint: try RedisEndpoint(url: redisURL)),
            eventLoopGroup: .singletonMultiThreadedEventLoopGroup, logger: logger)
        redis.start()
        do {
            while !(await redis.ping()) { try await Task.sleep(for: .milliseconds(10)) }
            try await SampleUserWork(redis: redis, stripe: stripe, sale: sale, time: time.now()).run()
        } catch {
            await redis.shutDown()
            throw error
        }
        await redis.shutDown()
    }
}

/// One run of the above.
private struct SampleUserWork {
    let redis: RedisClient
    let stripe: StripeStandIn
    let sale: SampleUserPreparation.Sale?
    let time: UnixTime

    func run() async throws {
        for user in SampleUser.all {
            try await forget(user.userID)
            try await recordUsage(of: user)
        }
        guard let sale else { return }
        for user in SampleUser.all where user.purchase != .nothing {
            let subscription = try stripe.sell(price: sale.price, tier: sale.plan, to: user.userID.value)
            try await waitForStatus(.active, of: user.userID)
            guard user.purchase == .unpaidPlan else { continue }
            try stripe.collect(subscription, succeeds: false)
            try await waitForStatus(.pastDue, of: user.userID)
        }
    }

    /// Keys and credentials stay: the developer may have pasted them somewhere.
    private func forget(_ user: UserID) async throws {
        let days = Self.days(until: time).map { RedisKey.usage(user, inTenDaysOf: $0) }
        for key in [.usage(user), .subscription(user), .subscriptions(of: user), .reservations(user)] + days {
            _ = try await redis.execute(RedisCommand("DEL", key))
        }
    }

    private func recordUsage(of user: SampleUser) async throws {
        let period = BillingPeriod(containing: time)
        _ = try await redis.execute(
            RedisCommand(
                "HSET", .usage(user.userID), "usageCount", "\(user.calls)", "plan", PlanTable.fallbackName,
                "lastUpdated", time.iso8601, "periodStart", "\(period.firstDay)", "periodEnd", "\(period.lastDay)"))
        // The user's first call gives it the time that records have.
        _ = try await redis.execute(
            RedisCommand("EXPIRE", .usage(user.userID), "\(62 * 86_400)"))
        for (day, calls) in Self.spread(user.calls, until: time) {
            for (route, count) in calls where count > 0 {
                _ = try await redis.execute(
                    RedisCommand(
                        "HSET", .usage(user.userID, inTenDaysOf: day), "\(String("\(day)".suffix(2)))/\(route)",
                        "\(count)"))
            }
            _ = try await redis.execute(
                RedisCommand("EXPIRE", .usage(user.userID, inTenDaysOf: day), "\(UsageDay.keptDays * 86_400)"))
        }
    }

    /// Polls: nothing tells when a webhook has been dealt with.
    private func waitForStatus(_ status: SubscriptionStatus, of user: UserID) async throws {
        let store = RedisSubscriptionStore(client: redis)
        for _ in 0..<500 {
            if try await store.record(of: user)?.status == status { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw SampleUserError(userID: user, status: status)
    }

    // MARK: A month that looks like one

    private static func days(until time: UnixTime) -> [CalendarDay] {
        (0..<30).reversed().map { CalendarDay(containing: time.adding(seconds: -86_400 * $0)) }
    }

    /// Calls of the last 30 days, of which those of this month add up to `total`. The same every time.
    private static func spread(_ total: Int, until time: UnixTime) -> [(CalendarDay, [(String, Int)])] {
        let first = BillingPeriod(containing: time).firstDay
        let days = days(until: time).enumerated().map { (day: $1, weight: 3 + $0 * 5 % 7) }
        let ownWeight = days.filter { $0.day >= first }.reduce(0) { $0 + $1.weight }
        var weightSoFar = 0
        return days.map { day, weight in
            if day == first { weightSoFar = 0 }
            // Of the month's first so many parts of the whole the first so many calls, so that none is left over.
            let before = total * weightSoFar / ownWeight
            weightSoFar += weight
            let calls = total * weightSoFar / ownWeight - before
            let (searches, reports) = (calls / 2, calls / 5)
            return (day, [("verify-auth", calls - searches - reports), ("search", searches), ("reports", reports)])
        }
    }
}

/// The gateway has not heard of a sample user's purchase.
package struct SampleUserError: Error, CustomStringConvertible {
    let userID: UserID
    let status: SubscriptionStatus

    package var description: String {
        "the sample user \(userID) did not become \(status.name) within 10 s: the webhooks have not arrived"
    }
}
