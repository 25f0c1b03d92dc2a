import HTTPTypes
import Hummingbird
import JSONValue
import NIOCore
import TollgateCore
import TollgateDataPlane
import TollgateStore

/// `POST /tickets`: what a browser opens a WebSocket or an EventSource with. Costs no call and takes no place in the
/// minute; what the ticket is used for does.
struct TicketEndpoint: Sendable {
    /// Tickets for one user in a minute, on each worker.
    static let ticketsPerMinute = 60

    /// Users whose tickets are counted.
    static let countedUsers = 16_384

    let gatekeeper: Gatekeeper
    let tickets: RedisTicketStore
    let bodyLimitBytes: Int
    private let issued = MinuteLimiter<UserID>(limit: ticketsPerMinute, capacity: countedUsers)

    init(gatekeeper: Gatekeeper, tickets: RedisTicketStore, bodyLimitBytes: Int) {
        self.gatekeeper = gatekeeper
        self.tickets = tickets
        self.bodyLimitBytes = bodyLimitBytes
    }

    var endpoint: EndpointTable.Endpoint { .init(method: .post, path: "/tickets", handler: issue) }

    @Sendable private func issue(_ request: Request, _ context: GatewayRequestContext) async throws -> Response {
        let credential = try gatekeeper.presented(request.headers, from: context.network)
        let principal = try await gatekeeper.principal(credential, from: context.network)
        let body = try await request.body(upTo: bodyLimitBytes)
        // The request has no parameters: a client that sends some must not believe that they were read.
        if body.readableBytes > 0 { _ = try JSONBody(body, known: [], example: "{}") }
        // The user whom a key names is not to be believed, nor counted, before Redis has said that it is good.
        if principal.credential.isKey { _ = try await gatekeeper.limits(of: principal, from: context.network) }
        let now = gatekeeper.time.now()
        guard issued.admits(principal.userID, at: now) else { throw Self.tooManyTickets(at: now) }
        do throws(StoreUnavailable) {
            let expiry = now.adding(seconds: Ticket.lifetimeSeconds)
            let ticket = try await tickets.issue(for: principal, until: expiry)
            return Response(
                status: .created, json: ["ticket": .string(ticket.text), "expiresAt": .moment(expiry)],
                headers: [.cacheControl: "no-store"])
        } catch {
            throw gatekeeper.refusal(of: error)
        }
    }

    private static func tooManyTickets(at time: UnixTime) -> APIError {
        let seconds = RateWindow(containing: time).secondsLeft(at: time)
        var error = APIError(
            .tooManyRequests, error: "Too many tickets", code: "too-many-tickets",
            message: "Ask for at most \(ticketsPerMinute) tickets a minute. Try again in \(seconds) s.")
        error.headers[.retryAfter] = "\(seconds)"
        return error
    }
}
