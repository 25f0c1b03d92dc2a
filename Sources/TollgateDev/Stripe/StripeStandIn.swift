import HTTPTypes
import Hummingbird
package import JSONValue
package import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
package import TollgateCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Stands in for Stripe on 127.0.0.1: the calls of its API that sell subscriptions, pages to click through instead of
/// a card form, and signed webhooks. What was made is forgotten when the process ends, unless there is a file for it.
package final class StripeStandIn: Service {
    /// The only version of the API that is spoken here, and that events are shaped by.
    package static let apiVersion = "2026-10-28.endive"

    /// How the stand-in is set up.
    package struct Configuration: Sendable {
        /// 0 takes a free one.
        package var port = 0

        /// The only key that is let in. Nil takes any that starts with `sk_test_`.
        package var secretKey: String?

        /// The secret that webhooks are signed with, with its `whsec_`.
        package var webhookSecret: String

        /// What one unit of any price costs, in cents.
        var unitAmount: Int64 = 2_900

        /// Calls of the API that are answered in a second; the others get 429. Nil for any number.
        package var callsPerSecond: Int?

        /// Where customers and what they have are kept. Nil forgets them.
        package var file: String?

        /// Those who begin anew with each process.
        package var usersBeginningAnew: Set<String> = []

        /// What the webhook endpoint is registered for; `*` stands for all events.
        var enabledEvents = ["*"]

        package init(webhookSecret: String) { self.webhookSecret = webhookSecret }
    }

    struct State: Sendable {
        var ledger: StripeLedger
        var idempotency = StripeIdempotency()

        /// The events of each checkout session that was paid, by its id: a second click waits for them, too.
        var eventsOfPayments: [String: [String]] = [:]
        var url = ""
    }

    /// The webhooks on their way, and how they are delivered.
    package let webhooks: StripeWebhooks

    /// What the API answers wrongly.
    package let faults = FaultPlan()

    /// How fast the API is called.
    let pace: StripePace

    let time: any TimeSource
    let state: Mutex<State>
    let configuration: Configuration
    private let logger: Logger
    private let onRunning: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - time: Dates the objects and the webhooks' signatures.
    ///   - onRunning: Called with the port once connections are accepted.
    package init(
        configuration: Configuration, time: any TimeSource, logger: Logger,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.time = time
        self.logger = logger
        self.onRunning = onRunning
        pace = StripePace(limit: configuration.callsPerSecond)
        webhooks = StripeWebhooks(secret: configuration.webhookSecret, time: time, logger: logger)
        var ledger = StripeLedger(unitAmount: configuration.unitAmount)
        if let text = configuration.file.flatMap({ try? String(contentsOfFile: $0, encoding: .utf8) }),
            let json = JSON(parsing: text.utf8)
        {
            ledger.restore(json, without: configuration.usersBeginningAnew)
        }
        state = Mutex(State(ledger: ledger))
    }

    /// Where it is, such as `http://127.0.0.1:4010`; empty until it runs.
    package var url: String { state.withLock { $0.url } }

    /// Serves and delivers webhooks until the graceful shutdown.
    package func run() async throws {
        let router = Router()
        router.add(middleware: StripeGate(secretKey: configuration.secretKey, faults: faults, pace: pace))
        addAPI(to: router)
        addPages(to: router)
        addEventPages(to: router)
        let application = Application(
            onLoopback: router, port: configuration.port, services: [webhooks], logger: logger
        ) { [self] port in
            state.withLock { $0.url = "http://127.0.0.1:\(port)" }
            await onRunning(port)
        }
        try await application.run()
    }

    /// Calls of the API so far.
    package var callCount: Int { pace.count.calls }

    /// Those that were refused because there were too many at a time.
    package var refusedCallCount: Int { pace.count.refused }

    /// The most calls of the API within any one second so far.
    package var busiestSecond: Int { pace.count.busiestSecond }

    /// Makes a customer that the gateway knows from an earlier run.
    package func addCustomer(_ id: String, email: String? = nil, metadata: [String: String] = [:]) {
        let now = time.now()
        let parameters: JSON = ["email": .text(email), "metadata": JSON(metadata.mapValues(JSON.string))]
        state.withLock { _ = $0.ledger.addCustomer(id: id, parameters, now: now) }
    }

    /// Has a subscription as it is given, in the place of one with the same id, and sends no webhook of it.
    package func put(subscription: JSON) { state.withLock { $0.ledger.subscriptions.keep(subscription) } }

    /// Has a customer as it is given, in the place of one with the same id.
    package func put(customer: JSON) { state.withLock { $0.ledger.customers.keep(customer) } }

    /// Sells a plan, as a checkout that is opened for `user` and paid.
    ///
    /// - Parameters:
    ///   - price: `price_…`.
    ///   - tier: The plan, as the metadata names it.
    /// - Returns: The subscription's id.
    @discardableResult
    func sell(price: String, tier: String, to user: String) throws -> String {
        let metadata: JSON = ["userId": .string(user), "tier": .string(tier)]
        let parameters: JSON = [
            "mode": "subscription", "line_items": [["price": .string(price), "quantity": 1]],
            "success_url": "http://127.0.0.1/", "client_reference_id": .string(user), "metadata": metadata,
            "subscription_data": ["metadata": metadata],
        ]
        let now = time.now()
        let session = try state.withLock { state in
            try state.ledger.openCheckout(parameters, pages: state.url, now: now)["id"].string ?? ""
        }
        try pay(session)
        return try state.withLock { try $0.ledger.checkout(session, now: now)["subscription"].string ?? "" }
    }

    /// Pays a checkout session as its page's button does, and does not wait for the webhooks.
    ///
    /// - Returns: The ids of the events that say so; of a session that was paid before, those of then.
    @discardableResult
    package func pay(_ checkoutSession: String) throws -> [String] {
        let now = time.now()
        return try state.withLock { state in
            let events = try state.ledger.pay(checkoutSession, now: now).map { $0.json(created: now) }
            guard !events.isEmpty else { return state.eventsOfPayments[checkoutSession] ?? [] }
            let ids = events.compactMap { $0["id"].string }
            state.eventsOfPayments[checkoutSession] = ids
            keep(state.ledger)
            // Inside the lock: a second click finds them on their way.
            webhooks.send(events)
            return ids
        }
    }

    /// Sends any event.
    ///
    /// - Parameter created: When it happened; now, if nil.
    /// - Returns: The event's id.
    @discardableResult
    package func emit(
        type: String, object: JSON, previousAttributes: JSON? = nil, created: UnixTime? = nil
    ) -> String {
        let id = StripeObjectID.make("evt")
        let event = StandInStripeEvent(type: type, object: object, previousAttributes: previousAttributes)
        webhooks.send([event.json(id: id, created: created ?? time.now())])
        return id
    }

    /// All customers by id.
    package var customers: [String: JSON] { state.withLock { $0.ledger.customers.byID } }

    /// All subscriptions by id, also those that have ended.
    package var subscriptions: [String: JSON] { state.withLock { $0.ledger.subscriptions.byID } }

    /// All checkout sessions by id.
    package var checkoutSessions: [String: JSON] { state.withLock { $0.ledger.checkouts.byID } }

    /// Changes the ledger, and sends the webhooks that say so.
    ///
    /// - Returns: The ids of the events.
    func change(
        _ body: (inout StripeLedger, UnixTime) throws -> [StandInStripeEvent]
    ) throws -> [String] {
        let now = time.now()
        let events = try state.withLock { state in
            let events = try body(&state.ledger, now)
            keep(state.ledger)
            return events
        }.map { $0.json(created: now) }
        webhooks.send(events)
        return events.compactMap { $0["id"].string }
    }

    /// Writes the file, inside the lock: of two changes the later one stays.
    func keep(_ ledger: StripeLedger) {
        guard let file = configuration.file else { return }
        do {
            try ledger.json.text.write(toFile: file, atomically: true, encoding: .utf8)
        } catch {
            logger.error("the stand-in of Stripe cannot keep what was made", metadata: ["cause": "\(error)"])
        }
    }
}
