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
    private(set) var events: [JSON] = []
    private(set) var attempts: [StripeWebhooks.Attempt] = []
    private(set) var pendingCount = 0
    private(set) var held: [Delivery] = []
    private var isHolding = false

    /// Takes new events, and says what is to be sent of them.
    mutating func add(_ new: [JSON], isDelivered: Bool) -> [Round] {
        events += new
        return isDelivered ? deliver(new) : []
    }

    /// Delivers once more what has been delivered before.
    mutating func resend(_ eventID: String) -> [Round] {
        deliver(events.filter { $0["id"].string == eventID })
    }

    private mutating func deliver(_ events: [JSON]) -> [Round] {
        let deliveries = events.flatMap { event in
            let delivery = Delivery(eventID: event["id"].string ?? "", body: event.text)
            return Array(repeating: delivery, count: behaviour.copies)
        }
        pendingCount += deliveries.count
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
        if let status, (200..<300).contains(status) {
            pendingCount -= 1
            return nil
        }
        guard delivery.attempt < behaviour.maximumAttempts else {
            pendingCount -= 1
            return nil
        }
        var next = delivery
        next.attempt += 1
        let delay = behaviour.firstBackoff * (1 << min(delivery.attempt - 1, 16))
        return Round(deliveries: [next], delay: delay, isAside: true)
    }
}
