import JSONValue
import TestSupport
import Testing
import TollgateCore
import TollgateDev

/// A row of the guide's table of lives, and how it is played.
struct Life: Sendable {
    let row: String

    /// What the worker is told besides.
    let settings: [String: String]

    /// - Returns: The plans that the user has, one after the other.
    let play: @Sendable (Stage) async throws -> [String]

    init(_ row: String, settings: [String: String] = [:], _ play: @escaping @Sendable (Stage) async throws -> [String])
    {
        self.row = row
        self.settings = settings
        self.play = play
    }

    static let all = beginnings + changes + ends + payments + pairs + owners + missed

    private static let week: Int64 = 7

    private static let beginnings = [
        Life("bought") { stage in
            try await stage.market.buy(stage.user)
            return [try await stage.plan()]
        },
        Life("on trial") { stage in
            _ = try await stage.subscribe("price_pro", trialDays: 3)
            return [try await stage.plan()]
        },
        Life("the trial ends, and is paid for") { stage in
            _ = try await stage.subscribe("price_pro", trialDays: 3)
            try await stage.letPass(days: 4)
            return [try await stage.plan()]
        },
        Life("the trial ends unpaid") { stage in
            let id = try await stage.subscribe("price_pro", trialDays: 3)
            try await stage.when { try $0.endTrial(of: id, .unpaid) }
            return [try await stage.plan(), try await stage.planAfterGrace()]
        },
        Life("the trial ends without a card (`paused`)") { stage in
            let id = try await stage.subscribe("price_pro", trialDays: 3)
            try await stage.when { try $0.endTrial(of: id, .paused) }
            return [try await stage.plan()]
        },
        Life("the first payment fails (`incomplete`)") { stage in
            _ = try await stage.subscribe("price_paid", isPaid: false)
            return [try await stage.plan()]
        },
        Life("the first payment fails, and is made within 23 hours") { stage in
            let id = try await stage.subscribe("price_paid", isPaid: false)
            try await stage.when { try $0.collect(id, succeeds: true) }
            return [try await stage.plan()]
        },
        Life("the first payment fails for good (`incomplete_expired`)") { stage in
            let id = try await stage.subscribe("price_paid", isPaid: false)
            try await stage.letPass(days: 1)
            #expect(stage.stripe.subscriptions[id]?["status"] == "incomplete_expired")
            return [try await stage.plan()]
        },
        Life("renewed") { stage in
            try await stage.market.buy(stage.user)
            try await stage.letPass(days: 65)
            return [try await stage.plan()]
        },
    ]

    private static let changes = [
        Life("changed to a better plan, and back") { stage in
            let id = try await stage.subscribe("price_paid")
            try await stage.when { try $0.setPrices(of: id, to: ["price_pro"]) }
            let better = try await stage.plan()
            try await stage.when { try $0.setPrices(of: id, to: ["price_paid"]) }
            return [better, try await stage.plan()]
        },
        Life("changed from a month of one to a year of a better") { stage in
            try await stage.market.buy(stage.user)
            let id = try #require(stage.market.subscription(of: stage.user)?["id"].string)
            try await stage.when { try $0.setPrices(of: id, to: ["price_pro_year"]) }
            return [try await stage.plan()]
        },
        Life("changed to a better plan before a slow debit is paid (`async_payment_succeeded`)") { stage in
            let id = try await stage.subscribe("price_paid")
            try await stage.when { try $0.setPrices(of: id, to: ["price_pro"]) }
            try await stage.debitIsPaid(for: id)
            return [try await stage.plan()]
        },
        Life("ended before a slow debit is paid") { stage in
            let id = try await stage.subscribe("price_paid")
            try await stage.when { try $0.cancel(id) }
            try await stage.debitIsPaid(for: id)
            return [try await stage.plan()]
        },
        Life("`tier` in the metadata names another plan than the price sells") { stage in
            _ = try await stage.subscribe("price_paid", metadata: ["userId": stage.user, "tier": "pro"])
            return [try await stage.plan()]
        },
        Life("a price that sells none, and `tier: pro` in the metadata since the subscription was first seen") {
            stage in
            _ = try await stage.subscribe("price_special", metadata: ["userId": stage.user, "tier": "pro"])
            return [try await stage.plan()]
        },
        Life("changed to a price that sells none, such as in the portal") { stage in
            try await stage.market.buy(stage.user)
            let id = try #require(stage.market.subscription(of: stage.user)?["id"].string)
            try await stage.when { try $0.setPrices(of: id, to: ["price_mug"]) }
            return [try await stage.plan()]
        },
        Life(
            "changed to a price that sells none with `STRIPE_UNKNOWN_PRICE=keep`",
            settings: ["STRIPE_UNKNOWN_PRICE": "keep"]
        ) { stage in
            let id = try await stage.subscribe("price_paid")
            try await stage.when { try $0.setPrices(of: id, to: ["price_mug"]) }
            return [try await stage.plan()]
        },
        Life("something that sells no plan is bought besides, and ends") { stage in
            try await stage.market.buy(stage.user)
            let other = try await stage.subscribe("price_mug")
            #expect(try await stage.plan() == "paid")
            try await stage.when { try $0.cancel(other) }
            return [try await stage.plan()]
        },
    ]

    private static let ends = [
        Life("to end with its period (`cancel_at_period_end`)") { stage in
            let id = try await stage.subscribe("price_paid")
            try await stage.when { try $0.cancelAtPeriodEnd(id) }
            try await stage.letPass(days: 29)
            let before = try await stage.plan()
            try await stage.letPass(days: 2)
            return [before, try await stage.plan()]
        },
        Life("to end on a day (`cancel_at`)") { stage in
            let id = try await stage.subscribe("price_paid")
            let day = stage.market.time.now().adding(seconds: 3 * 86_400)
            try await stage.when { try $0.cancel(id, at: day) }
            try await stage.letPass(days: 2)
            let before = try await stage.plan()
            try await stage.letPass(days: 1)
            return [before, try await stage.plan()]
        },
        Life("to end with its period, and not after all") { stage in
            let id = try await stage.subscribe("price_paid")
            try await stage.when { try $0.cancelAtPeriodEnd(id) }
            try await stage.when { try $0.cancel(id, at: nil) }
            try await stage.letPass(days: 31)
            return [try await stage.plan()]
        },
        Life("cancelled at once") { stage in
            let id = try await stage.subscribe("price_paid")
            try await stage.when { try $0.cancel(id) }
            return [try await stage.plan()]
        },
        Life("the customer is deleted") { stage in
            let id = try await stage.subscribe("price_paid")
            let customer = try stage.customer(of: id)
            try await stage.when { try $0.deleteCustomer(customer) }
            return [try await stage.plan()]
        },
    ]

    private static let payments = [
        Life("a payment fails") { stage in
            let id = try await stage.subscribe("price_paid")
            try await stage.when { try $0.collect(id, succeeds: false) }
            return [try await stage.plan(), try await stage.planAfterGrace()]
        },
        Life("a payment fails, and succeeds within the grace") { stage in
            let id = try await stage.subscribe("price_paid")
            try await stage.when { try $0.collect(id, succeeds: false) }
            try await stage.letPass(days: week - 1)
            try await stage.when { try $0.collect(id, succeeds: true) }
            try await stage.letPass(days: 2)
            return [try await stage.plan()]
        },
        Life("a payment fails and is given up (`unpaid`)") { stage in
            let id = try await stage.subscribe("price_paid")
            try await stage.when { try $0.collect(id, succeeds: false) }
            try await stage.when { try $0.giveUp(id) }
            return [try await stage.plan()]
        },
        Life("payments are not collected (`pause_collection`)") { stage in
            let id = try await stage.subscribe("price_paid")
            try await stage.when { try $0.pauseCollection(of: id) }
            try await stage.letPass(days: 31)
            return [try await stage.plan()]
        },
        Life("paused, and resumed") { stage in
            let id = try await stage.subscribe("price_paid")
            try await stage.when { try $0.pause(id) }
            let paused = try await stage.plan()
            try await stage.when { try $0.resume(id) }
            return [paused, try await stage.plan()]
        },
        Life("refunded in full, or lost in a dispute") { stage in
            let id = try await stage.subscribe("price_paid")
            try await stage.when { try $0.refund(id) }
            #expect(try await stage.plan() == "paid")
            try await stage.when { try $0.loseDispute(over: id) }
            return [try await stage.plan()]
        },
        Life("refunded in full with `STRIPE_ON_REFUND=end`", settings: ["STRIPE_ON_REFUND": "end"]) { stage in
            try await stage.subscribeAndReturn { try $0.refund($1) }
        },
        Life("lost in a dispute with `STRIPE_ON_REFUND=end`", settings: ["STRIPE_ON_REFUND": "end"]) { stage in
            try await stage.subscribeAndReturn { try $0.loseDispute(over: $1) }
        },
    ]

    private static let pairs = [
        Life("`paid` and `pro`, two subscriptions") { stage in
            _ = try await stage.subscribe("price_pro")
            stage.market.time.advance(seconds: 60)
            _ = try await stage.subscribe("price_paid")
            return [try await stage.plan()]
        },
        Life("`paid` and `pro`, two items of one subscription") { stage in
            _ = try await stage.subscribe("price_paid", "price_pro")
            return [try await stage.plan()]
        },
        Life("of two subscriptions the newer ends, then the older") { stage in
            let older = try await stage.subscribe("price_paid")
            stage.market.time.advance(seconds: 60)
            let newer = try await stage.subscribe("price_paid")
            try await stage.when { try $0.cancel(newer) }
            let one = try await stage.plan()
            try await stage.when { try $0.cancel(older) }
            return [one, try await stage.plan()]
        },
        Life("of two subscriptions the better is paused") { stage in
            _ = try await stage.subscribe("price_paid")
            let better = try await stage.subscribe("price_pro")
            try await stage.when { try $0.pause(better) }
            return [try await stage.plan()]
        },
        Life("`pro` is owed beside `paid`") { stage in
            _ = try await stage.subscribe("price_paid")
            let better = try await stage.subscribe("price_pro")
            try await stage.when { try $0.collect(better, succeeds: false) }
            return [try await stage.plan(), try await stage.planAfterGrace()]
        },
        Life("given by hand, and something lesser is bought and ends") { stage in
            try await stage.give("pro")
            let id = try await stage.subscribe("price_paid")
            let beside = try await stage.plan()
            try await stage.when { try $0.cancel(id) }
            return [beside, try await stage.plan()]
        },
        Life("given by hand, and something better is bought and ends") { stage in
            try await stage.give("paid")
            let id = try await stage.subscribe("price_pro")
            let beside = try await stage.plan()
            try await stage.when { try $0.cancel(id) }
            return [beside, try await stage.plan()]
        },
    ]

    private static let owners = [
        Life("`metadata.userId` changed from one user to another") { stage in
            let id = try await stage.subscribe("price_paid")
            #expect(try await stage.plan() == "paid")
            try await stage.when { try $0.setMetadata(of: id, to: ["userId": stage.other]) }
            return [try await stage.plan(), try await stage.plan(ofOther: true)]
        },
        Life("a customer whose `metadata.userId` names the user subscribes") { stage in
            _ = try await stage.subscribe("price_paid", metadata: [:], customer: ["userId": stage.user])
            return [try await stage.plan()]
        },
        Life("bought by a payment link that names the user (`client_reference_id`)") { stage in
            try await stage.buyByLink("price_pro")
            return [try await stage.plan()]
        },
        Life("a payment link names a user who has a subscription of another customer") { stage in
            _ = try await stage.subscribe("price_pro")
            let strangers = try await stage.buyByLink("price_paid")
            #expect(try await stage.plan() == "pro")
            try await stage.when { try $0.cancel(strangers) }
            return [try await stage.plan()]
        },
        Life("an event of a connected account, or of the other mode") { stage in
            for (member, value) in [("account", "acct_1"), ("livemode", true)] as [(String, JSON)] {
                let sold = Market.subscription(id: "sub_\(stage.number)", user: stage.user, customer: "cus_strange")
                stage.stripe.put(subscription: sold)
                var event = Market.event(
                    "customer.subscription.created", sold, id: "evt_\(stage.number)", created: stage.market.time.now())
                event[member] = value
                let answer = try await stage.market.deliver(event)
                #expect(answer.status == 200)
            }
            return [try await stage.plan()]
        },
    ]

    private static let missed = [
        Life("bought while webhooks were lost") { stage in
            stage.stripe.addCustomer("cus_\(stage.number)_0")
            return try await stage.missed {
                try $0.subscribe("cus_\(stage.number)_0", to: ["price_paid"], metadata: ["userId": stage.user])
            }
        },
        Life("changed while webhooks were lost") { stage in
            let id = try await stage.subscribe("price_paid")
            return try await stage.missed { try $0.setPrices(of: id, to: ["price_pro"]) }
        },
        Life("ended while webhooks were lost") { stage in
            let id = try await stage.subscribe("price_paid")
            return try await stage.missed { try $0.cancel(id) }
        },
    ]
}

extension Stage {
    fileprivate func planAfterGrace() async throws -> String {
        market.time.advance(seconds: 7 * 86_400 + 1)
        return try await plan()
    }

    /// What was paid is returned, and later a period is paid for.
    fileprivate func subscribeAndReturn(
        _ isReturned: (StripeStandIn, _ id: String) throws -> [String]
    ) async throws -> [String] {
        let id = try await subscribe("price_paid")
        try await when { _ = try isReturned($0, id) }
        let returned = try await plan()
        try await letPass(days: 31)
        return [returned, try await plan()]
    }

    /// The operator's command of the guide.
    fileprivate func give(_ plan: String) async throws {
        try await market.redis.tell("HSET subscription:{\(user)} plan \(plan) status active")
    }

    /// A slow debit, which took four days.
    fileprivate func debitIsPaid(for subscription: String) async throws {
        market.time.advance(seconds: 4 * 86_400)
        try await tell(
            "checkout.session.async_payment_succeeded", of: subscription, customer: try customer(of: subscription))
    }

    @discardableResult
    fileprivate func buyByLink(_ price: String) async throws -> String {
        let id = try await subscribe(price, metadata: [:])
        try await tell(
            "checkout.session.completed", of: id, reference: user, customer: try customer(of: id))
        return id
    }
}
