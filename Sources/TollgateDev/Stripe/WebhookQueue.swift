import JSONValue

/// Which webhooks are on their way, and what became of the others. Pure: it says what to send and when.
struct WebhookQueue: Sendable {
    /// One copy of one event.
    struct Delivery: Sendable {
        let eventID: String
        let body: String
        var attempt = 1
    }

    /// Copies to be sent one after the other.
    struct Round: Sendable {
        let deliveries: [Delivery]
        var delay: Duration = .zero

        /// Whether other rounds go on meanwhile.
        var isAside = false
    }

    var behaviour = StripeWebhooks.Behaviour()
    private(set) var events = StripeTable()
    private(set) var attempts: [StripeWebhooks.Attempt] = []

    /// The last answer to each event that was sent, and the events of which a copy was answered with 2xx.
    private var lastStatuses: [String: Int?] = [:]
    private var acknowledged: Set<String> = []

    private(set) var held: [Delivery] = []
    private var isHolding = false

    /// Copies that were neither answered with 2xx nor given up, by their event's id.
    private var pending: [String: Int] = [:]

    var pendingCount: Int { pending.values.reduce(0, +) }

    /// Takes new events, and says what is to be sent of them.
    ///
    /// - Parameter isDelivered: There is an endpoint.
    mutating func add(_ new: [JSON], isDelivered: Bool) -> [Round] {
        for event in new { events.keep(event) }
        guard isDelivered, behaviour.isDelivering else { return [] }
        return deliver(new.filter { !behaviour.loses($0) })
    }

    /// Delivers once more what has been delivered before.
    mutating func resend(_ eventID: String) -> [Round] {
        deliver(events[eventID].map { [$0] } ?? [])
    }

    private mutating func deliver(_ events: [JSON]) -> [Round] {
        let deliveries = events.flatMap { event in
            let delivery = Delivery(eventID: event["id"].string ?? "", body: event.text)
            return Array(repeating: delivery, count: behaviour.copies)
        }
        for delivery in deliveries { pending[delivery.eventID, default: 0] += 1 }
        guard !isHolding else {
            held += deliveries
            return []
        }
        return rounds(deliveries)
    }

    mutating func hold() { isHolding = true }

    mutating func release() -> [Round] {
        isHolding = false
        defer { held.removeAll() }
        return rounds(held)
    }

    private func rounds(_ deliveries: [Delivery]) -> [Round] {
        var deliveries = deliveries
        if let seed = behaviour.shuffleSeed {
            var generator = SeededGenerator(seed: seed)
            deliveries.shuffle(using: &generator)
        }
        guard !deliveries.isEmpty else { return [] }
        let delay = behaviour.delay
        guard behaviour.isConcurrent else {
            return [Round(deliveries: deliveries, delay: delay, isAside: delay > .zero)]
        }
        return deliveries.map { Round(deliveries: [$0], delay: delay, isAside: true) }
    }

    /// Notes how an attempt went. What failed is sent again, twice as late each time, until it was tried enough.
    ///
    /// - Parameter status: Nil when no answer came.
    mutating func finish(_ delivery: Delivery, status: Int?) -> Round? {
        attempts.append(
            StripeWebhooks.Attempt(eventID: delivery.eventID, number: delivery.attempt, status: status))
        note(status: status, of: delivery.eventID)
        guard !Self.isAcknowledged(status), delivery.attempt < behaviour.maximumAttempts else {
            let left = pending[delivery.eventID, default: 1] - 1
            pending[delivery.eventID] = left > 0 ? left : nil
            return nil
        }
        var next = delivery
        next.attempt += 1
        let delay = behaviour.firstBackoff * (1 << min(delivery.attempt - 1, 16))
        return Round(deliveries: [next], delay: delay, isAside: true)
    }

    /// Notes what was answered to an event.
    mutating func note(status: Int?, of eventID: String) {
        lastStatuses[eventID] = .some(status)
        if Self.isAcknowledged(status) { acknowledged.insert(eventID) }
    }

    /// Whether the endpoint has taken the event.
    func isDelivered(_ eventID: String) -> Bool { acknowledged.contains(eventID) }

    /// What has become of an event. Nil once a copy of it was answered with 2xx.
    func undelivered(_ eventID: String) -> UndeliveredWebhook? {
        guard !isDelivered(eventID) else { return nil }
        return UndeliveredWebhook(
            type: events[eventID]?["type"].string ?? eventID, lastStatus: lastStatuses[eventID] ?? nil,
            isPending: pending[eventID] != nil)
    }

    private static func isAcknowledged(_ status: Int?) -> Bool { status.map { (200..<300).contains($0) } ?? false }
}

/// An event that the gateway has not taken.
struct UndeliveredWebhook: Sendable, Hashable {
    /// Such as `invoice.paid`.
    let type: String

    /// The last answer; nil when there was none.
    let lastStatus: Int?

    /// Whether another attempt is to come.
    let isPending: Bool
}
