import JSONValue
import Testing
import TollgateCore
import TollgateDev

@Suite(.timeLimit(.minutes(6)))
struct StripeWebhooksTests {
    /// Runs `body` with a stand-in whose webhooks go to `receiver`.
    private func withWebhooks(
        to receiver: WebhookReceiver = WebhookReceiver(),
        _ body: (StripeStandIn, WebhookReceiver, StandInTime) async throws -> Void
    ) async throws {
        try await receiver.listen { url in
            try await withStripe { stripe, _, time in
                stripe.webhooks.url = url
                try await body(stripe, receiver, time)
            }
        }
    }

    @Test
    func signatureIsStripes() {
        // Made with Python's hmac.
        let code = "b8de524ee7aefdd6ec9fd02456744fba925263710a83cac4647f9e79479ea01d"
        let header = StripeSignature.header(
            body: #"{"id":"evt_1"}"#, secret: "whsec_test", time: UnixTime(seconds: 1_764_198_000))
        #expect(header == "t=1764198000,v1=\(code)")
    }

    @Test
    func failedDeliveriesAreTriedAgainAndSignedAnew() async throws {
        try await withWebhooks(to: WebhookReceiver(statuses: [500, 302])) { stripe, receiver, time in
            let id = stripe.emit(type: "customer.created", object: ["id": "cus_1"], created: UnixTime(seconds: 5))
            try await eventually { stripe.webhooks.pendingCount == 0 }
            let received = receiver.received
            #expect(received.count == 3)
            #expect(Set(received.map(\.body)).count == 1)
            #expect(received[0].event["id"].string == id)
            #expect(received[0].event["created"].integer == 5)
            for delivery in received {
                let signature = StripeSignature.header(body: delivery.body, secret: webhookSecret, time: time.now())
                #expect(delivery.signature == signature)
            }
            #expect(stripe.webhooks.attempts.map(\.status) == [500, 302, 200])
            #expect(stripe.webhooks.attempts.map(\.number) == [1, 2, 3])

            time.advance(milliseconds: 60_000)
            stripe.webhooks.resend(id)
            try await eventually { stripe.webhooks.pendingCount == 0 }
            let last = try #require(receiver.received.last)
            #expect(last.body == received[0].body)
            #expect(last.signature.hasPrefix("t=\(time.now().seconds),"))
        }
    }

    @Test
    func failureDoesNotHoldUpTheNext() async throws {
        try await withWebhooks(to: WebhookReceiver(statuses: [500])) { stripe, receiver, _ in
            stripe.webhooks.behaviour.firstBackoff = .seconds(1)
            stripe.emit(type: "first", object: [:])
            stripe.emit(type: "second", object: [:])
            try await eventually { stripe.webhooks.pendingCount == 0 }
            #expect(receiver.received.map(\.type) == ["first", "second", "first"])
        }
    }

    @Test
    func givesUp() async throws {
        try await withWebhooks(to: WebhookReceiver(statuses: [400, 401, 500])) { stripe, receiver, _ in
            stripe.webhooks.behaviour.maximumAttempts = 3
            stripe.emit(type: "refused", object: [:])
            try await eventually { stripe.webhooks.pendingCount == 0 }
            #expect(receiver.received.count == 3)
        }
    }

    @Test
    func nobodyListening() async throws {
        let port = try await Loopback.freePort()
        try await withStripe { stripe, _, _ in
            stripe.webhooks.behaviour.maximumAttempts = 2
            stripe.emit(type: "kept", object: [:])
            #expect(stripe.webhooks.pendingCount == 0, "there is nowhere to deliver to")
            stripe.webhooks.url = "http://127.0.0.1:\(port)/webhook"
            stripe.emit(type: "lost", object: [:])
            try await eventually { stripe.webhooks.pendingCount == 0 }
            #expect(stripe.webhooks.attempts.map(\.status) == [nil, nil])
            #expect(stripe.webhooks.events.map { $0["type"].string } == ["kept", "lost"])
        }
    }

    /// Emits six events while they are held back, and returns the types in the order they came, twice each.
    private func disorder(seed: UInt64?) async throws -> [String] {
        let receiver = WebhookReceiver()
        try await withWebhooks(to: receiver) { stripe, _, _ in
            stripe.webhooks.behaviour.copies = 2
            stripe.webhooks.behaviour.shuffleSeed = seed
            stripe.webhooks.hold()
            for index in 0..<6 { stripe.emit(type: "\(index)", object: [:]) }
            #expect(stripe.webhooks.heldCount == 12)
            #expect(stripe.webhooks.pendingCount == 12)
            #expect(receiver.received.isEmpty)
            stripe.webhooks.release()
            try await eventually { stripe.webhooks.pendingCount == 0 }
            #expect(stripe.webhooks.heldCount == 0)
            #expect(Set(receiver.received.map { $0.event["id"] }).count == 6)
        }
        return receiver.received.map(\.type)
    }

    @Test
    func duplicatesArriveInARepeatableDisorder() async throws {
        let ordered = try await disorder(seed: nil)
        #expect(ordered == ["0", "0", "1", "1", "2", "2", "3", "3", "4", "4", "5", "5"])
        let mixed = try await disorder(seed: 7)
        #expect(mixed != ordered)
        #expect(mixed.sorted() == ordered)
        let again = try await disorder(seed: 7)
        #expect(again == mixed)
        let other = try await disorder(seed: 8)
        #expect(other != mixed)
    }

    @Test
    func concurrentCopiesAllArrive() async throws {
        try await withWebhooks { stripe, receiver, _ in
            stripe.webhooks.behaviour.copies = 20
            stripe.webhooks.behaviour.isConcurrent = true
            stripe.emit(type: "storm", object: [:])
            try await eventually { stripe.webhooks.pendingCount == 0 }
            #expect(receiver.received.count == 20)
        }
    }

    @Test
    func deliveriesWaitAsLongAsTheyShould() async throws {
        try await withWebhooks { stripe, receiver, _ in
            stripe.webhooks.behaviour.delay = .milliseconds(50)
            let start = ContinuousClock.now
            stripe.emit(type: "late", object: [:])
            try await eventually { receiver.received.count == 1 }
            #expect(ContinuousClock.now - start >= .milliseconds(50))
        }
    }

    /// What waits for hours must not keep `tollgate dev` from ending.
    @Test
    func shutdownDropsWhatWaits() async throws {
        try await withWebhooks { stripe, receiver, _ in
            stripe.webhooks.behaviour.delay = .seconds(3_600)
            stripe.emit(type: "never", object: [:])
            #expect(stripe.webhooks.pendingCount == 1)
        }
    }
}
