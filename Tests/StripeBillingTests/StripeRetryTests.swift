import NIOHTTP1
import OutboundCalls
import StripeBilling
import Testing
import TollgateCore

private let page = StripeServer.Answer.json(200, #"{"id":"bps_1","url":"https://billing.stripe.com/p/1"}"#)
private let fault = StripeServer.Answer.json(500, #"{"error":{"type":"api_error","message":"Oops"}}"#)

/// Calls that are made again, and those that are not.
@Suite struct StripeRetryTests {
    private func portal(_ client: StripeClient) async throws(CallError) -> String {
        try await client.createPortalSession(
            customerID: "cus_1", returnURL: "https://a.example", idempotencyKey: "key_1")
    }

    @Test func twoFaultsAreBorneWith() async throws {
        try await StripeServer.with(fault, fault, page) { server, url in
            let pauses = Pauses()
            let made = try await portal(stripeClient(url, pauses: pauses))
            #expect(made == "https://billing.stripe.com/p/1")
            #expect(server.requests.flatMap { $0.headers["idempotency-key"] } == ["key_1", "key_1", "key_1"])
            #expect(Set(server.requests.map(\.body)).count == 1)
            #expect(pauses.all.count == 2)
            #expect(Duration.milliseconds(250)...Duration.milliseconds(500) ~= pauses.all[0])
            #expect(Duration.milliseconds(500)...Duration.milliseconds(1000) ~= pauses.all[1])
        }
    }

    @Test func threeAreNot() async throws {
        try await StripeServer.with(fault, fault, fault, page) { server, url in
            let error = await failure { () throws(CallError) in try await portal(stripeClient(url)) }
            #expect(error?.httpStatus == 500)
            #expect(error?.message == "Oops")
            #expect(error?.isTemporary == true)
            #expect(server.requests.count == 3)
        }
    }

    @Test func aConnectionThatBreaksIsMadeAgain() async throws {
        try await StripeServer.with(.hangUp, page) { server, url in
            let made = try await portal(stripeClient(url))
            #expect(made == "https://billing.stripe.com/p/1")
            #expect(server.requests.flatMap { $0.headers["idempotency-key"] } == ["key_1", "key_1"])
        }
    }

    @Test func nobodyListens() async throws {
        let url = try await StripeServer.with(page) { _, url in url }
        let pauses = Pauses()
        let error = await failure { () throws(CallError) in try await portal(stripeClient(url, pauses: pauses)) }
        #expect(error?.kind == .unreachable)
        #expect(error?.httpStatus == nil)
        #expect(error?.isTemporary == true)
        #expect(pauses.all.count == 2)
    }

    @Test(arguments: [StripeServer.Answer.silence, .stall])
    func aTryIsGivenUp(_ answer: StripeServer.Answer) async throws {
        try await StripeServer.with(answer, page) { server, url in
            let limits = CallTimeLimits(call: .seconds(10), attempt: .seconds(1))
            let made = try await portal(stripeClient(url, timeLimits: limits))
            #expect(made == "https://billing.stripe.com/p/1")
            #expect(server.requests.count >= 2)
            #expect(server.requests.allSatisfy { $0.headers["idempotency-key"] == ["key_1"] })
        }
    }

    @Test(arguments: [StripeServer.Answer.silence, .stall])
    func aCallIsGivenUp(_ answer: StripeServer.Answer) async throws {
        try await StripeServer.with(answer) { server, url in
            let limits = CallTimeLimits(call: .milliseconds(100), attempt: .seconds(6))
            let error = await failure { () throws(CallError) in
                try await portal(stripeClient(url, timeLimits: limits))
            }
            #expect(error?.kind == .timedOut)
            #expect(error?.isTemporary == true)
            #expect(server.requests.count <= 1)
        }
    }

    @Test func noTryBeginsWhenTimeIsUp() async throws {
        try await StripeServer.with(.json(500, "{}", ["Retry-After": "3"])) { server, url in
            let limits = CallTimeLimits(call: .seconds(2), attempt: .seconds(6))
            let pauses = Pauses()
            let error = await failure { () throws(CallError) in
                try await portal(stripeClient(url, pauses: pauses, timeLimits: limits))
            }
            #expect(error?.httpStatus == 500)
            #expect(server.requests.count == 1)
            #expect(pauses.all.isEmpty)
        }
    }

    @Test(
        arguments: [
            (.json(429, "{}", ["Retry-After": "2"]), [.seconds(2)]),
            (.json(429, "{}", ["Retry-After": "60"]), []),
            (.json(429, "{}"), []),
            (.json(400, "{}"), []),
        ] as [(StripeServer.Answer, [Duration])])
    func tooManyRequests(_ answer: StripeServer.Answer, _ expected: [Duration]) async throws {
        try await StripeServer.with(answer, page) { server, url in
            let pauses = Pauses()
            let error = await failure { () throws(CallError) in try await portal(stripeClient(url, pauses: pauses)) }
            #expect((error == nil) == !expected.isEmpty)
            #expect(pauses.all == expected)
            #expect(server.requests.count == 1 + expected.count)
        }
    }

    @Test func stripeKnowsBest() async throws {
        try await StripeServer.with(.json(500, "{}", ["Stripe-Should-Retry": "false"]), page) { server, url in
            let error = await failure { () throws(CallError) in try await portal(stripeClient(url)) }
            #expect(error?.httpStatus == 500)
            #expect(server.requests.count == 1)
        }
        try await StripeServer.with(.json(400, "{}", ["Stripe-Should-Retry": "true"]), page) { server, url in
            _ = try await portal(stripeClient(url))
            #expect(server.requests.count == 2)
        }
    }

    @Test func aProxysPageIsNoReasonToGiveUp() async throws {
        try await StripeServer.with(.html(502), page) { server, url in
            _ = try await portal(stripeClient(url))
            #expect(server.requests.count == 2)
        }
    }

    @Test func whoGivesUpIsNotKeptWaiting() async throws {
        try await StripeServer.with(.silence) { server, url in
            let pauses = Pauses()
            let error = await withTaskGroup { group in
                group.addTask {
                    await failure { () throws(CallError) in try await portal(stripeClient(url, pauses: pauses)) }
                }
                group.cancelAll()
                return await group.next() ?? nil
            }
            #expect(error?.kind == .cancelled)
            #expect(error?.isTemporary == false)
            #expect(server.requests.count <= 1)
            #expect(pauses.all.isEmpty)
        }
    }
}
