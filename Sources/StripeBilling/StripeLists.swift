import JSONValue
import NIOHTTP1
package import OutboundCalls
import PercentCoding
package import TollgateCore

/// A part of a list.
package struct StripePage<Element: Sendable>: Sendable {
    package let elements: [Element]

    /// The last id on the page, which the next page begins after. Nil on the last page.
    package let next: String?
}

/// How far a list has been read.
///
/// Bounded, whatever is answered: one that comes to a page again, or names new ids for ever, would be read for ever.
/// Brent's way of finding a cycle remembers one page alone.
package struct StripeListCursor: Sendable, Hashable {
    /// What the next page begins after. Nil for the first page, and after the last.
    package private(set) var last: String?

    private var remembered: String?
    private var pages = 0

    /// Ten million elements.
    package static let maximumPages = 100_000

    package init() {}

    /// - Parameter next: ``StripePage/next``.
    package mutating func advance(to next: String?) throws(CallError) {
        guard next == nil || next != last && next != remembered else {
            throw CallError(.stripe, .unintelligible, "Stripe's list comes to the same page again.")
        }
        guard pages < Self.maximumPages else {
            throw CallError(.stripe, .unintelligible, "Stripe's list has more than \(Self.maximumPages) pages.")
        }
        pages += 1
        if pages & (pages - 1) == 0 { remembered = next }
        last = next
    }
}

/// What the reconciliation asks for. All of it only reads.
extension StripeClient {
    /// The most that Stripe puts on a page.
    private static let pageSize = 100

    /// All subscriptions, also those that have ended, the newest first. Nil is one that cannot be read.
    ///
    /// - Parameter last: ``StripePage/next`` of the page before. Nil for the first page.
    package func subscriptions(after last: String? = nil) async throws(CallError) -> StripePage<SubscriptionFacts?> {
        try await page(of: "/v1/subscriptions?status=all", after: last) { object in
            try? SubscriptionFacts(subscription: object)
        }
    }

    /// The events that no endpoint has taken since `moment`, the newest first; Stripe keeps them for 30 days.
    ///
    /// - Parameter last: ``StripePage/next`` of the page before. Nil for the first page.
    package func undeliveredEvents(
        since moment: UnixTime, after last: String? = nil
    ) async throws(CallError) -> StripePage<StripeEvent?> {
        let types = (StripeEvent.neededTypes + StripeEvent.typesOfReturnedPayments)
            .map { "&types%5B%5D=\($0)" }.joined()
        return try await page(
            of: "/v1/events?delivery_success=false&created%5Bgte%5D=\(moment.seconds)\(types)", after: last
        ) { object in
            // One that cannot be read tells nothing.
            try? StripeEvent(object)
        }
    }

    /// An event. Nil when Stripe has none of that id, or no more.
    package func event(id: String) async throws(CallError) -> StripeEvent? {
        guard let segment = PercentEncoding.pathSegment(id) else { return nil }
        do {
            return try await transport.send(StripeCall(method: .GET, path: "/v1/events/" + segment)) {
                object throws(UnexpectedShape) in try StripeEvent(object)
            }
        } catch {
            guard error.httpStatus == 404, error.type == "invalid_request_error" else { throw error }
            return nil
        }
    }

    private func page<Element: Sendable>(
        of path: String, after last: String?, read: (JSON) -> Element
    ) async throws(CallError) -> StripePage<Element> {
        let start = last.flatMap { PercentEncoding.pathSegment($0) }.map { "&starting_after=\($0)" } ?? ""
        let call = StripeCall(method: .GET, path: "\(path)&limit=\(Self.pageSize)\(start)", isList: true)
        return try await transport.send(call) { list throws(UnexpectedShape) in
            let data = try list.required("data", \.elements)
            // Without them the rest would go unseen.
            guard try list.required("has_more", \.bool) else { return StripePage(elements: data.map(read), next: nil) }
            guard let next = data.last?["id"].nonEmptyString else { throw UnexpectedShape(member: "id") }
            return StripePage(elements: data.map(read), next: next)
        }
    }
}
