import Hiredis
import JSONValue
import NIOPosix
import RedisClient
import Synchronization
import TestSupport
import Testing
import TollgateConfiguration
import TollgateCore
import TollgateDev
import TollgateServer

/// What webhooks have not told is found and mended.
@Suite(.timeLimit(.minutes(6))) struct ReconcilerTests {
    /// A market whose worker hears of nothing, and does not reconcile by itself.
    private static let deaf = ["STRIPE_WEBHOOK_SECRET": ""]

    @Test func whatWasBoughtChangedAndCancelledIsMended() async throws {
        try await withMarket(settings: Self.deaf, plans: SubscriptionLifeTests.plans) { market in
            let ids = try ["changed", "ended", "kept"].map { try market.sell("price_paid", to: "user_\($0)") }
            let first = try await market.reconcile()
            #expect(first.mended == 3 && first.failures == 0)
            #expect(try await market.plan(of: "user_kept") == "paid")
            try market.stripe.setPrices(of: ids[0], to: ["price_pro"])
            try market.stripe.cancel(ids[1])
            try market.sell("price_paid", to: "user_new")
            market.time.advance(seconds: 3 * 86_400)
            #expect(try await market.reconcile().mended == 3)
            for (user, plan) in ["changed": "pro", "ended": "free", "kept": "paid", "new": "paid"] {
                #expect(try await market.plan(of: "user_\(user)") == plan, "\(user)")
            }
            #expect(try await market.reconcile().mended == 0)
        }
    }

    /// A subscription of former days says nothing of the plan that its user has by now.
    @Test func anEndThatWasNeverSeenChangesNothing() async throws {
        try await withMarket(settings: Self.deaf) { market in
            market.clerk.addUser(id: "user_abc", publicMetadata: ["plan": "paid"])
            market.stripe.put(subscription: Market.subscription("canceled"))
            #expect(try await market.reconcile().mended == 0)
            #expect(market.clerk.publicMetadata(of: "user_abc")?["plan"] == "paid")
            let answer = try await HTTP.verify(try market.token("user_abc", plan: "paid"), port: market.port)
            #expect(answer.body.contains(#""plan":"paid""#), "\(answer.body)")
        }
    }

    /// It was seen with another user, who loses what has moved, be it after its end.
    @Test func anEndAfterAMoveIsSeen() async throws {
        try await withMarket(settings: Self.deaf) { market in
            market.stripe.put(subscription: Market.subscription(user: "user_abc"))
            let seen = try await market.reconcile()
            market.stripe.put(subscription: Market.subscription("canceled", user: "user_def"))
            let moved = try await market.reconcile()
            #expect(seen.mended == 1 && moved.mended == 1)
            #expect(try await market.plan(of: "user_abc") == "free")
        }
    }

    @Test func whatCannotBeReadOrToldKeepsNothingUp() async throws {
        try await withMarket(settings: Self.deaf) { market in
            var odd = Market.subscription(id: "sub_odd", user: "user_odd", customer: "cus_odd")
            odd["status"] = .null
            market.stripe.put(subscription: odd)
            for name in ["a", "b"] {
                market.stripe.put(
                    subscription: Market.subscription(id: "sub_\(name)", user: "user_\(name)", customer: "cus_\(name)"))
            }
            market.clerk.faults.inject(.status(500), times: 9, pathPrefix: "/v1/users/user_a")
            let found = try await market.reconcile()
            #expect(found.failures == 2, "one is odd, and of one Clerk could not be told")
            for name in ["a", "b"] { #expect(try await market.plan(of: "user_\(name)") == "paid") }
        }
    }

    /// Such as for a restricted key that may not read them.
    @Test func eventsThatAreRefusedDoNotBeginAllAnew() async throws {
        try await withMarket(settings: Self.deaf) { market in
            try market.sell("price_paid", to: "user_abc")
            market.stripe.faults.inject(.status(403), times: 9, pathPrefix: "/v1/events")
            let found = try await market.reconcile()
            #expect(found.mended == 1 && found.failures == 0)
            try await withRedisClient(market.redis.configuration) { redis in
                let now = market.time.now()
                let all = try await redis.send("HGET reconciliation wentThroughAllAt").string
                #expect(all == now.iso8601)
                let events = try await redis.send("HGET reconciliation eventsSeenUntil").string
                #expect(events == now.adding(seconds: -30 * 86_400).iso8601, "they are asked for again")
            }
        }
    }

    /// A worker died before it had told all, or Clerk was away: what is known is not told for that.
    @Test func whatClerkWasNotToldIsTold() async throws {
        try await withMarket(settings: Self.deaf) { market in
            try market.sell("price_paid", to: "user_abc")
            market.clerk.addUser(id: "user_abc")
            market.clerk.faults.inject(.status(500), times: 9, pathPrefix: "/v1/users/user_abc")
            let first = try await market.reconcile()
            #expect(first.mended == 0 && first.failures > 0)
            market.clerk.faults.clear()
            let second = try await market.reconcile()
            #expect(second.mended == 0 && second.failures == 0)
            #expect(market.clerk.publicMetadata(of: "user_abc")?["plan"] == "paid")
        }
    }

    /// Stripe's list may not have it, such as beside the key of another account, and no event may tell.
    @Test func whatIsOverdueIsLookedAt() async throws {
        try await withMarket(settings: Self.deaf) { market in
            let kept = try market.sell("price_paid", to: "user_kept")
            let ended = try market.sell("price_paid", to: "user_ended")
            let found = try await market.reconcile()
            #expect(found.mended == 2)
            try await withRedisClient(market.redis.configuration) { redis in
                let expected = try await redis.send("ZRANGE subscriptions:ends 0 -1").array?.compactMap(\.string)
                #expect(Set(expected ?? []) == [kept, ended])
                try market.stripe.cancel(ended)
                try await redis.send("ZADD subscriptions:ends 1 sub_gone")
                market.time.advance(seconds: 32 * 86_400)
                try market.stripe.letTimePass()
                // All that a run every few minutes looks at: the list was gone through just now, and no event is told of.
                try await redis.send("HSET reconciliation wentThroughAllAt \(market.time.now().iso8601)")
                market.stripe.faults.inject(.status(403), times: 99, pathPrefix: "/v1/events")
                let later = try await market.reconcile(isComplete: false)
                #expect(later.mended == 2 && later.missing == 1, "one was renewed, one has ended, one is unknown")
                let plans = try await [market.plan(of: "user_kept"), market.plan(of: "user_ended")]
                #expect(plans == ["paid", "free"])
                let left = try await redis.send("ZRANGEBYSCORE subscriptions:ends -inf (\(market.time.now().seconds)")
                #expect(left.array?.isEmpty == true)
                let again = try await market.reconcile(isComplete: false)
                #expect(again.checked == 0, "until tomorrow")
            }
        }
    }

    /// The refund of a payment that no webhook has told of.
    @Test func aRefundIsFound() async throws {
        let settings = Self.deaf.merging(["STRIPE_ON_REFUND": "end"]) { $1 }
        try await withMarket(settings: settings) { market in
            let id = try market.sell("price_paid", to: "user_abc")
            _ = try await market.reconcile()
            try market.stripe.refund(id)
            let found = try await market.reconcile()
            #expect(found.mended == 1)
            #expect(try await market.plan(of: "user_abc") == "free")
            let again = try await market.reconcile()
            #expect(again.mended == 0)
            #expect(try await market.plan(of: "user_abc") == "free")
        }
    }

    @Test func oneRunsAtATime() async throws {
        try await withMarket(settings: Self.deaf) { market in
            try await withRedisClient(market.redis.configuration) { redis in
                try await redis.send("SET reconciliation:lease another")
                do {
                    let found = try await market.reconcile()
                    Issue.record("another is at it: \(found)")
                } catch {
                    #expect("\(error)".contains("Another reconciliation is under way"), "\(error)")
                }
                try await redis.send("DEL reconciliation:lease")
                let found = try await market.reconcile()
                #expect(found.checked == 0)
                let lease = try await redis.send("EXISTS reconciliation:lease").integer
                #expect(lease == 0, "it was given back")
            }
        }
    }

    /// Without the workers' plan table, who pays for one of its prices would be on the fallback.
    @Test func anotherPlanTableIsRefused() async throws {
        try await withMarket(settings: Self.deaf) { market in
            try market.sell("price_paid", to: "user_abc")
            let first = try await market.reconcile()
            #expect(first.mended == 1)
            for others in [["STRIPE_PRICE_ID": "price_other"], ["STRIPE_UNKNOWN_PRICE": "keep"]] {
                do {
                    let found = try await market.reconcile(with: others)
                    Issue.record("\(others) is not what was sold by: \(found)")
                } catch {
                    #expect("\(error)".contains("paid price_paid") && "\(error)".contains("--force"), "\(error)")
                }
                #expect(try await market.plan(of: "user_abc") == "paid")
            }
            let forced = try await market.reconcile(isForced: true, with: ["STRIPE_PRICE_ID": "price_other"])
            #expect(forced.mended == 1)
            #expect(try await market.plan(of: "user_abc") == "free")
        }
    }

    /// Something in Stripe's place says for ever that more follows, and comes to what it has said before.
    @Test(arguments: [["sub_1"], ["sub_1", "sub_2", "sub_3"]]) func aListWithoutEndIsLeft(ids: [String]) async throws {
        try await withMarket(settings: Self.deaf) { market in
            let pages = Mutex(0)
            let stripe = try await ScriptedServer { _ in
                let id = pages.withLock { number in
                    number += 1
                    return ids[number % ids.count]
                }
                let list = #"{"object":"list","data":[{"id":"\#(id)","object":"subscription"}],"has_more":true}"#
                return .sayAndHangUp(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(list.utf8.count)\r\n"
                        + "Connection: close\r\n\r\n" + list)
            }
            do {
                let found = try await market.reconcile(stripeURL: "http://127.0.0.1:\(stripe.port)")
                Issue.record("there is no end: \(found)")
            } catch {
                #expect("\(error)".contains("the same page again"), "\(error)")
            }
            try await stripe.close()
            #expect(pages.withLock(\.self) <= 4 * ids.count)
        }
    }

    /// What the list has told of is not asked for once more because an event was not delivered.
    @Test func eventsOfWhatWasListedCostNoCalls() async throws {
        try await withMarket(settings: Self.deaf) { market in
            for number in 0..<20 { try market.sell("price_paid", to: "user_\(number)") }
            market.time.advance(seconds: 60)
            let before = market.stripe.callCount
            let found = try await market.reconcile()
            #expect(found.checked == 20 && found.mended == 20)
            #expect(market.stripe.callCount - before == 2, "the list and the events")
            let between = market.stripe.callCount
            let again = try await market.reconcile(isComplete: false)
            #expect(again.checked == 20 && again.mended == 0, "without the list, each is asked for")
            #expect(market.stripe.callCount - between == 21)
        }
    }

    /// An operator who breaks it off keeps the turn from nobody.
    @Test func aSignalGivesTheTurnBack() async throws {
        try await withMarket(settings: Self.deaf) { market in
            try market.sell("price_paid", to: "user_abc")
            market.stripe.faults.inject(.stall(.seconds(30)), times: 99, pathPrefix: "/v1/subscriptions")
            let process = try ChildProcess.start(
                Worker.program, ["reconcile"], environment: market.settings, output: .lines)
            try await withRedisClient(market.redis.configuration) { redis in
                try await eventually("it has the turn") {
                    try await redis.send("EXISTS reconciliation:lease").integer == 1
                }
                process.signal(SIGTERM)
                #expect(await process.wait() == .exited(1))
                let lease = try await redis.send("EXISTS reconciliation:lease").integer
                #expect(lease == 0, "it was given back")
            }
        }
    }

    /// Whatever answers in Stripe's place, the key stays there.
    @Test func noRedirectTakesTheKeyElsewhere() async throws {
        try await withMarket(settings: Self.deaf) { market in
            let seen = RequestLog()
            let other = try await ScriptedServer { request in
                seen.append(request)
                return .hangUp
            }
            let location = "http://127.0.0.1:\(other.port)/v1/subscriptions"
            let stripe = try await ScriptedServer { _ in
                .sayAndHangUp(
                    "HTTP/1.1 307 Temporary Redirect\r\nLocation: \(location)\r\nContent-Length: 0\r\n"
                        + "Connection: close\r\n\r\n")
            }
            do {
                let found = try await market.reconcile(stripeURL: "http://127.0.0.1:\(stripe.port)")
                Issue.record("a redirect is no list: \(found)")
            } catch {
                #expect(!"\(error)".contains("sk_test"))
            }
            try await stripe.close()
            try await other.close()
            #expect(seen.requests == [])
        }
    }

    /// An operator at the admin port has a worker do it.
    @Test func aWorkerDoesItWhenAsked() async throws {
        let (time, identity) = (SystemClock(), try DevelopmentIdentity.shared())
        try await withStandIns(identity: identity, time: time) { stripe, _, urls in
            try await withFleet(settings: urls) { fleet in
                let admin = fleet.workers[0].adminPort
                func standing() async throws -> JSON {
                    try await HTTP.get("/admin/v1/reconciliation", port: admin).json
                }
                try await eventually("the first pass is over") { try await standing()["last"] != .null }
                #expect(try await standing()["isAwaited"].bool == false)
                stripe.addCustomer("cus_late")
                _ = try stripe.subscribe("cus_late", to: ["price_paid"], metadata: ["userId": "user_late"])
                let process = try ChildProcess.start(
                    Worker.program, ["reconcile", "--admin", "http://127.0.0.1:\(admin)"],
                    environment: ["TOLLGATE_ADMIN_TOKEN": "any"], output: .lines)
                var lines: [String] = []
                for await line in process.lines { lines.append(line) }
                #expect(await process.wait() == .exited(0))
                #expect(lines == ["1 subscription looked at, 1 mended"])
                let plan = try await HTTP.get("/admin/v1/users/user_late", port: admin).json["plan"]["name"].string
                #expect(plan == "paid")
                let audit = try await HTTP.get("/admin/v1/audit", port: admin).json["entries"].elements ?? []
                #expect(audit.compactMap { $0["action"].string } == ["reconcile"])
            }
        }
    }

    @Test func theCommandSaysWhatItFinds() async throws {
        try await withMarket(settings: Self.deaf) { market in
            try market.sell("price_paid", to: "user_abc")
            let process = try ChildProcess.start(
                Worker.program, ["reconcile"], environment: market.settings, output: .lines)
            var lines: [String] = []
            for await line in process.lines { lines.append(line) }
            #expect(lines == ["user_abc: free → paid", "1 subscription looked at, 1 mended"])
            #expect(await process.wait() == .exited(0))
        }
    }
}

private final class RequestLog: Sendable {
    private let log = Mutex<[String]>([])

    var requests: [String] { log.withLock(\.self) }

    func append(_ request: String) { log.withLock { $0.append(request) } }
}

extension Market {
    /// Reconciles as `tollgate reconcile` does, at the market's time.
    func reconcile(
        stripeURL: String? = nil, isComplete: Bool = true, isForced: Bool = false, with others: [String: String] = [:]
    ) async throws -> ReconciliationCommand.Result {
        let environment = settings.merging(stripeURL.map { ["STRIPE_API_URL": $0] } ?? [:]) { $1 }
            .merging(others) { $1 }
        let configuration = try GatewayConfiguration.load(
            flags: [:], environment: environment, workingDirectory: directory)
        let command = ReconciliationCommand(
            configuration: configuration, time: time, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: .silent)
        return try await command.run(isComplete: isComplete, isForced: isForced) { _, _ in }
    }

    /// The settings of its workers.
    var settings: [String: String] {
        Worker.environment(redisURL: redis.url, identity: identity)
            .merging(Self.settings(stripeURL: stripe.url, clerkURL: clerkURL)) { $1 }.merging(ownSettings) { $1 }
            .filter { !$0.value.isEmpty }
    }

    /// Sells a subscription without the gateway.
    ///
    /// - Returns: Its id.
    @discardableResult
    func sell(_ price: String, to user: String) throws -> String {
        let customer = "cus_\(user)"
        if stripe.customers[customer] == nil { stripe.addCustomer(customer) }
        return try stripe.subscribe(customer, to: [price], metadata: ["userId": user])
    }
}
