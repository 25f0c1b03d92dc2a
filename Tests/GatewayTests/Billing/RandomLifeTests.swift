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

/// In the end every user has what Stripe says, whatever has happened and however its events came in.
///
/// `TOLLGATE_LIVES=1500 TOLLGATE_LIVES_SEED=7` plays so many users, and others.
@Suite(.timeLimit(.minutes(60)), .tags(.measuresTime)) struct RandomLifeTests {
    private static let userCount = number("TOLLGATE_LIVES") ?? 60
    private static let seed = number("TOLLGATE_LIVES_SEED") ?? 1

    private static func number(_ name: String) -> Int? { ProcessInfo.processInfo.environment[name].flatMap { Int($0) } }

    /// What mends the tenth of all events that is lost. None is, unless something does.
    enum Remedy: CaseIterable {
        case none

        /// All subscriptions are gone through, once.
        case all

        /// Only those of events that were not delivered, and those that are overdue.
        case events
    }

    @Test(arguments: Remedy.allCases) func everyUserHasInTheEndWhatStripeSays(remedy: Remedy) async throws {
        try await withMarket(gateways: 2, settings: ["CLERK_SECRET_KEY": ""], plans: SubscriptionLifeTests.plans) {
            market in
            // The workers' own reconciliation would hide what webhooks miss.
            try await market.redis.tell("SET reconciliation:lease test")
            let start = market.time.now().iso8601
            try await market.redis.tell("HSET reconciliation ranAt \(start) eventsSeenUntil \(start)")
            let lives = RandomLives(
                .init(userCount: Self.userCount, seed: UInt64(Self.seed), losesEvents: remedy != .none), in: market)
            try await lives.play()
            try await Self.judge(lives, remedy, graceIsOver: false, market)
            try await lives.playMonth()
            try await Self.judge(lives, remedy, graceIsOver: true, market)
        }
    }

    private static func judge(
        _ lives: RandomLives, _ remedy: Remedy, graceIsOver: Bool, _ market: Market
    ) async throws {
        if remedy != .none {
            #expect(lives.lostCount > 0)
            try await market.redis.tell("HSET reconciliation wentThroughAllAt \(market.time.now().iso8601)")
            try await market.redis.tell("DEL reconciliation:lease")
            try await market.reconcileOnce(isComplete: remedy == .all)
            try await market.redis.tell("SET reconciliation:lease test")
        }
        let found = try await lives.compare(graceIsOver: graceIsOver)
        #expect(
            found.wrong == [],
            "\(found.wrong.count) of \(userCount), after \(lives.deliveryCount) deliveries, seed \(seed)")
        #expect(found.plans.count == 3, "one-sided: \(found.plans)")
    }
}

extension Market {
    /// Reconciles once, be it by a worker that is quicker.
    fileprivate func reconcileOnce(isComplete: Bool) async throws {
        try await eventually("Stripe and Redis are the same") {
            do {
                let found = try await reconcile(isComplete: isComplete)
                #expect(found.failures == 0)
                return true
            } catch {
                guard "\(error)".contains("reconciliation is under way") else { throw error }
                return false
            }
        }
    }
}
