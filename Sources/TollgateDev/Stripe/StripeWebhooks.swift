import AsyncHTTPClient
package import JSONValue
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Synchronization
import TollgateCore

/// Delivers events to the gateway as Stripe does: signed, again until it answers 2xx, and, when a test asks for it,
/// more than once, late and in any order. Events are kept from the start, and delivered once there is an endpoint.
package final class StripeWebhooks: Service {
    /// How events are delivered. What is on its way already keeps its order.
    package struct Behaviour: Sendable {
        /// Whether anything is delivered. What happens otherwise is kept as an event that was not, and is not tried
        /// later, as if Stripe had given up; what is on its way fails.
        package var isDelivering = true

        /// Which events are not delivered either.
        package var loses: @Sendable (_ event: JSON) -> Bool = { _ in false }

        /// How often each event is delivered.
        package var copies = 1

        /// Mixes events that happen together, or were held back together, and their copies. Nil keeps their order.
        package var shuffleSeed: UInt64?

        /// How long each event waits before its first delivery.
        package var delay = Duration.zero

        /// Whether all deliveries start at once, rather than each when the one before it was answered.
        package var isConcurrent = false

        /// How often a delivery is tried. Stripe tries for days; these outlast a claim of the gateway's whose end was lost.
        package var maximumAttempts = 10

        /// How long a failed delivery waits the first time; twice as long each further time.
        package var firstBackoff = Duration.milliseconds(200)

        /// How long the gateway may take to answer.
        package var timeout = Duration.seconds(10)

        /// How long a page waits for the answers to the webhooks of its button. Six attempts take as long.
        package var patience = Duration.seconds(10)
    }

    /// One delivery as it went.
    package struct Attempt: Sendable, Hashable {
        /// The event that was sent.
        package let eventID: String

        /// 1 for the first try of this copy.
        package let number: Int

        /// What the gateway answered; nil when it did not.
        package let status: Int?
    }

    private let secret: String
    private let time: any TimeSource
    private let logger: Logger
    private let destination = Mutex<String?>(nil)
    private let queue = Mutex(WebhookQueue())
    private let rounds = AsyncStream.makeStream(of: WebhookQueue.Round.self)

    init(secret: String, time: any TimeSource, logger: Logger) {
        self.secret = secret
        self.time = time
        self.logger = logger
    }

    /// Where events go from now on. Nil keeps them without delivering: the state at the start.
    package var url: String? {
        get { destination.withLock(\.self) }
        set { destination.withLock { $0 = newValue } }
    }

    /// How deliveries behave.
    package var behaviour: Behaviour {
        get { queue.withLock { $0.behaviour } }
        set { queue.withLock { $0.behaviour = newValue } }
    }

    /// Deliveries that were neither answered with 2xx nor given up, those held back included.
    package var pendingCount: Int { queue.withLock { $0.pendingCount } }

    /// Deliveries that wait for ``release()``.
    package var heldCount: Int { queue.withLock { $0.held.count } }

    /// All events so far, as they are delivered.
    package var events: [JSON] { queue.withLock { $0.events.all } }

    /// Notes how a delivery went that a test has made itself, at a moment of its choice.
    ///
    /// - Parameter status: What the gateway answered; nil when it did not.
    package func note(status: Int?, of eventID: String) { queue.withLock { $0.note(status: status, of: eventID) } }

    /// Whether the gateway has taken the event.
    package func isDelivered(_ eventID: String) -> Bool { queue.withLock { $0.isDelivered(eventID) } }

    /// An event as the API shows it.
    func event(_ id: String) throws -> JSON {
        try queue.withLock { queue in
            guard let event = queue.events[id] else { throw StandInStripeError.noSuch("event", id) }
            return Self.shown(event, in: queue)
        }
    }

    /// A page of the events of the last 30 days, the newest first.
    ///
    /// - Parameter query: As ``StripeParameters/events`` checked it.
    func page(_ query: JSON, path: String, now: UnixTime) throws -> JSON {
        let types = query["types"].elements ?? (query["type"] == .null ? nil : [query["type"]])
        let patterns = types?.compactMap(\.string)
        let oldest = now.adding(seconds: -30 * 86_400).seconds
        return try queue.withLock { queue in
            var page = try queue.events.page(query, path: path) { event in
                let isDelivered = queue.isDelivered(event["id"].string ?? "")
                return event["created"].integer ?? 0 >= oldest
                    && query["delivery_success"].bool.map { $0 == isDelivered } ?? true
                    && patterns?.contains { Self.matches(event["type"].string ?? "", $0) } ?? true
            }
            page["data"] = .array((page["data"].elements ?? []).map { Self.shown($0, in: queue) })
            return page
        }
    }

    private static func shown(_ event: JSON, in queue: WebhookQueue) -> JSON {
        var event = event
        event["pending_webhooks"] = queue.isDelivered(event["id"].string ?? "") ? 0 : 1
        return event
    }

    /// A pattern may end in `*`, such as `customer.subscription.*`.
    private static func matches(_ type: String, _ pattern: String) -> Bool {
        pattern.last == "*" ? type.hasPrefix(pattern.dropLast()) : type == pattern
    }

    /// All deliveries so far, in the order of their answers.
    package var attempts: [Attempt] { queue.withLock { $0.attempts } }

    /// Holds back what happens from now on.
    package func hold() { queue.withLock { $0.hold() } }

    /// Delivers what was held back, and everything after it at once.
    package func release() { start(queue.withLock { $0.release() }) }

    /// Delivers an event once more, as Stripe's dashboard does on request.
    package func resend(_ eventID: String) { start(queue.withLock { $0.resend(eventID) }) }

    /// Waits until the gateway has taken each of the events, or none of them is tried any more, or
    /// ``Behaviour/patience`` is over.
    ///
    /// Polls: a delivery ends in many ways, and to its page 5 ms are nothing.
    ///
    /// - Returns: What was not taken. Nothing, when there is nowhere to deliver to, or deliveries are switched off.
    func awaitDelivery(of eventIDs: [String]) async -> [UndeliveredWebhook] {
        guard url != nil, behaviour.isDelivering else { return [] }
        let deadline = ContinuousClock.now + behaviour.patience
        return await cancelWhenGracefulShutdown { [self] in
            while true {
                let left = queue.withLock { queue in eventIDs.compactMap { queue.undelivered($0) } }
                guard left.contains(where: \.isPending), ContinuousClock.now < deadline,
                    (try? await Task.sleep(for: .milliseconds(5))) != nil
                else { return left }
            }
        }
    }

    func send(_ events: [JSON]) {
        let isDelivered = url != nil
        start(queue.withLock { $0.add(events, isDelivered: isDelivered) })
    }

    private func start(_ new: [WebhookQueue.Round]) {
        for round in new { rounds.continuation.yield(round) }
    }

    /// Delivers until the graceful shutdown, which drops what is still on its way.
    package func run() async throws {
        // Stripe follows no redirect: it is a failed delivery.
        let configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        await cancelWhenGracefulShutdown { await self.deliver(with: client) }
        try await client.shutdown()
    }

    private func deliver(with client: HTTPClient) async {
        await withDiscardingTaskGroup { group in
            for await round in rounds.stream {
                guard round.isAside else {
                    await send(round, with: client)
                    continue
                }
                group.addTask {
                    guard (try? await Task.sleep(for: round.delay)) != nil else { return }
                    await self.send(round, with: client)
                }
            }
            group.cancelAll()
        }
    }

    private func send(_ round: WebhookQueue.Round, with client: HTTPClient) async {
        for delivery in round.deliveries where !Task.isCancelled {
            let status = await post(delivery, with: client)
            if let retry = queue.withLock({ $0.finish(delivery, status: status) }) { start([retry]) }
        }
    }

    /// The status of the answer; nil when none came in time.
    private func post(_ delivery: WebhookQueue.Delivery, with client: HTTPClient) async -> Int? {
        guard let url, behaviour.isDelivering else { return nil }
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json; charset=utf-8")
        request.headers.add(name: "User-Agent", value: "Stripe/1.0 (stand-in)")
        // Each try is signed anew: an old time would be refused.
        let signature = StripeSignature.header(body: delivery.body, secret: secret, time: time.now())
        request.headers.add(name: "Stripe-Signature", value: signature)
        request.body = .bytes(ByteBuffer(string: delivery.body))
        do {
            let response = try await client.execute(request, timeout: TimeAmount(behaviour.timeout))
            _ = try? await response.body.collect(upTo: 1 << 20)
            return Int(response.status.code)
        } catch {
            let metadata: Logger.Metadata = ["event": "\(delivery.eventID)", "error": "\(error)"]
            logger.debug("a webhook was not answered", metadata: metadata)
            return nil
        }
    }
}
