import Hummingbird
import JSONValue
import NIOCore
import Synchronization
import TestSupport
import Testing
import TollgateDev

let webhookSecret = "whsec_test"

/// What the gateway would ask for when a user upgrades.
let upgrade = [
    "mode=subscription", "line_items[0][price]=price_pro", "line_items[0][quantity]=1",
    "success_url=http%3A%2F%2Fapp.test%2Fdashboard%3Fpayment%3Dsuccess%26session%3D%7BCHECKOUT_SESSION_ID%7D",
    "cancel_url=http%3A%2F%2Fapp.test%2Fdashboard%3Fpayment%3Dcancelled", "client_reference_id=user_1",
    "metadata[userId]=user_1", "subscription_data[metadata][userId]=user_1",
    "subscription_data%5Bmetadata%5D%5Btier%5D=paid",
].joined(separator: "&")

extension APIClient {
    /// With the headers that every call has.
    static func stripe(_ url: String) -> APIClient {
        APIClient(
            url: url, headers: ["Authorization": "Bearer sk_test_1", "Stripe-Version": StripeStandIn.apiVersion])
    }

    func form(_ path: String, _ form: String, key: String? = nil) async throws -> Answer {
        try await send(
            "POST", path, body: form, type: "application/x-www-form-urlencoded",
            headers: key.map { ["Idempotency-Key": $0] } ?? [:])
    }

    /// Opens a checkout session and returns its id.
    func checkout(_ parameters: String = upgrade) async throws -> String {
        let answer = try await form("/v1/checkout/sessions", parameters)
        return try #require(answer.json["id"].string, "\(answer.body)")
    }
}

/// Runs `body` with a stand-in that has just started.
func withStripe(
    configure: (inout StripeStandIn.Configuration) -> Void = { _ in },
    _ body: (StripeStandIn, APIClient, StandInTime) async throws -> Void
) async throws {
    var configuration = StripeStandIn.Configuration(webhookSecret: webhookSecret)
    configure(&configuration)
    let time = StandInTime()
    try await withRunning { onRunning in
        let stripe = StripeStandIn(
            configuration: configuration, time: time, logger: standInLogger, onRunning: { onRunning($0) })
        stripe.webhooks.behaviour.firstBackoff = .milliseconds(10)
        return stripe
    } _: { stripe, url in
        try await body(stripe, APIClient.stripe(url), time)
    }
}

/// The gateway's side of webhooks: notes what comes, and answers as it is told to.
final class WebhookReceiver: Sendable {
    struct Received: Sendable {
        let signature: String
        let body: String
        let event: JSON

        var type: String { event["type"].string ?? "" }
    }

    private struct State {
        var received: [Received] = []
        var statuses: [Int]
    }

    private let state: Mutex<State>

    /// - Parameter statuses: Of the first answers; all others are 200.
    init(statuses: [Int] = []) { state = Mutex(State(statuses: statuses)) }

    var received: [Received] { state.withLock(\.received) }

    /// Runs `body` while it listens.
    func listen(_ body: (_ url: String) async throws -> Void) async throws {
        let router = Router()
        router.post("/webhook") { [self] request, _ in
            let text = String(buffer: try await request.body.collect(upTo: 1 << 20))
            let signature = request.headers[values: .init("Stripe-Signature")!].first ?? ""
            return Response(status: .init(code: note(signature, text)), headers: [.location: "/elsewhere"])
        }
        try await withRunning { onRunning in
            Application(onLoopback: router, logger: standInLogger, onRunning: onRunning)
        } _: { _, url in
            try await body("\(url)/webhook")
        }
    }

    private func note(_ signature: String, _ text: String) -> Int {
        state.withLock { state in
            state.received.append(Received(signature: signature, body: text, event: JSON.parsed(text)))
            return state.statuses.isEmpty ? 200 : state.statuses.removeFirst()
        }
    }
}
