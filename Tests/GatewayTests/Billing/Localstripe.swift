import JSONValue
import TestSupport
import Testing
import TollgateDev

/// localstripe: a Stripe with a memory that others have written (PyPI). It knows subscriptions by their plans, as Stripe
/// did before there were prices, and no checkouts.
struct Localstripe {
    let port: Int

    var url: String { "http://127.0.0.1:\(port)" }

    /// A call of its API that makes something.
    ///
    /// - Returns: The id of it.
    @discardableResult
    func post(_ path: String, _ form: [String: String]) async throws -> String {
        try #require(try await call("POST", path, form)["id"].string)
    }

    func get(_ path: String) async throws -> JSON { try await call("GET", path) }

    func delete(_ path: String) async throws { _ = try await call("DELETE", path) }

    /// Tells `url` of all that happens from now on, in the place of who was told so far.
    func register(_ url: String, secret: String) async throws {
        _ = try await send("POST", "/_config/webhooks/gateway", ["url": url, "secret": secret])
    }

    /// A price, of a product of its own.
    ///
    /// - Parameter cents: For another price something is due only if it is higher.
    func addPrice(_ id: String, _ cents: Int, interval: String) async throws {
        try await post(
            "plans",
            ["id": id, "amount": "\(cents)", "currency": "usd", "interval": interval, "product[name]": id])
    }

    /// A customer with a card.
    ///
    /// - Parameter card: One of those that Stripe documents for tests.
    func addCustomer(_ metadata: [String: String] = [:], card: String = "4242424242424242") async throws -> String {
        let named = Dictionary(uniqueKeysWithValues: metadata.map { ("metadata[\($0)]", $1) })
        let customer = try await post("customers", named.merging(["description": "a test"]) { $1 })
        try await give(customer, card: card)
        return customer
    }

    /// What the customer pays with from now on.
    func give(_ customer: String, card: String) async throws {
        let method = try await post(
            "payment_methods",
            [
                "type": "card", "card[number]": card, "card[exp_month]": "12", "card[exp_year]": "2040",
                "card[cvc]": "123",
            ])
        try await post("payment_methods/\(method)/attach", ["customer": customer])
        try await post("customers/\(customer)", ["invoice_settings[default_payment_method]": method])
    }

    /// Sells a subscription.
    ///
    /// - Parameter user: The one that the subscription's metadata names. Nil for none.
    func subscribe(_ customer: String, to price: String, for user: String? = nil) async throws -> String {
        var form = ["customer": customer, "items[0][plan]": price]
        form["metadata[userId]"] = user
        return try await post("subscriptions", form)
    }

    /// Sells another price from now on.
    func change(_ subscription: String, to price: String) async throws {
        try await post("subscriptions/\(subscription)", ["items[0][plan]": price])
    }

    private func call(_ method: String, _ path: String, _ form: [String: String] = [:]) async throws -> JSON {
        let answer = try await send(method, "/v1/" + path, form)
        #expect(answer.status == 200, "\(method) \(path): \(answer.body)")
        return try #require(JSON(parsing: answer.body.utf8))
    }

    private func send(_ method: String, _ path: String, _ form: [String: String]) async throws -> HTTP.Answer {
        // No value here needs to be encoded but the URL of a webhook, whose characters may stand in a form.
        let body = form.map { "\($0)=\($1)" }.joined(separator: "&")
        return try await HTTP.send(
            method, path, port: port,
            headers: [
                ("Authorization", "Bearer sk_test_localstripe"), ("Content-Type", "application/x-www-form-urlencoded"),
            ], body: form.isEmpty ? nil : body)
    }
}

/// Runs `body` with a localstripe of its own.
func withLocalstripe(_ body: (Localstripe) async throws -> Void) async throws {
    let process = try Oracle.start("localstripe")
    var lines: [String] = []
    var port: Int?
    for await line in process.lines {
        lines.append(line)
        port = Int(line)
        if port != nil { break }
    }
    guard let port else {
        throw NeverHappened(description: "localstripe, which Tests/Oracles/install installs, did not start: \(lines)")
    }
    do {
        try await eventually("localstripe answers") {
            (try? await HTTP.get("/js.stripe.com/v3/", port: port).status) == 200
        }
        try await body(Localstripe(port: port))
        await process.terminate()
    } catch {
        await process.terminate()
        throw error
    }
}
