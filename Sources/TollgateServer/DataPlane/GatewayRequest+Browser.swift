import HTTPTypes
import HTTPWire
import NIOCore
import ReverseProxy
import TollgateCore

/// What a browser presents, which cannot send `Authorization` with a WebSocket or an EventSource: a ticket in the
/// query, or a credential among the subprotocols. Either is unmistakably meant for the gateway, so it goes before every
/// field; those beside it may be the upstream's.
extension GatewayRequest {
    /// What a ticket is looked for in: the target of the request in question.
    private var askedTarget: String? {
        switch purpose {
        case .verifyAuth: nil
        case .authorize(let question): question.uri
        case .proxy: address.target.query == nil ? nil : address.target.text
        }
    }

    /// - Throws: The refusal of a text that is no ticket, and of several.
    func presentedTicket() throws(APIError) -> Ticket? {
        guard let target = askedTarget else { return nil }
        let values = Ticket.parameter.values(in: target)
        guard values.count < 2 else { throw .duplicateCredential(field: Ticket.parameter.name, "parameter") }
        guard let value = values.first else { return nil }
        guard let ticket = Ticket(value) else { throw dataPlane.gatekeeper.refusalOfTicket() }
        return ticket
    }

    /// - Throws: The refusal of a text that cannot be a key, and of several credentials.
    func presentedSubprotocol() throws(APIError) -> PresentedCredential? {
        guard let credentials = subprotocol?.credentials, let credential = credentials.first else { return nil }
        guard credentials.count == 1 else { throw .duplicateCredential(field: "Sec-WebSocket-Protocol", "credential") }
        return try presented(authorization: ["Bearer \(credential)"], apiKey: [])
    }

    func use(_ ticket: Ticket) {
        loop.port.redeem(ticket, at: dataPlane.time.now()) { self.used($0) }
    }

    private func used(_ result: Result<Principal?, StoreUnavailable>) {
        guard !isGone else { return }
        do throws(APIError) {
            switch result {
            case .failure(let error): throw dataPlane.gatekeeper.refusal(of: error)
            case .success(nil): throw dataPlane.gatekeeper.refusalOfTicket()
            case .success(let principal?):
                try policy.check(principal.credential)
                admit(principal)
            }
        } catch {
            refuse(error)
        }
    }

    /// What the upstream is asked for: without the ticket, whether or not it was looked at.
    func upstreamURI(_ route: ActiveRoute) -> String {
        let uri = route.uri(address.target)
        return address.target.query == nil ? uri : Ticket.parameter.removed(from: uri)
    }

    /// Chooses the gateway's own subprotocol where a browser would otherwise fail.
    func writeSubprotocol(of answer: ProxyAnswer, to head: inout ByteBuffer) {
        guard subprotocol?.offersName == true, !answer.head.fields.contains(.webSocketProtocol) else { return }
        head.writeField("Sec-WebSocket-Protocol", BearerSubprotocol.name)
    }
}

extension Gatekeeper {
    /// The refusal of a ticket, counted. Nobody guesses 160 bits: it is one that was used, or is too old.
    func refusalOfTicket() -> APIError {
        let error = APIError.unknownTicket
        metrics.authenticationFailure(code: error.code)
        return error
    }
}

extension APIError {
    package static let unknownTicketCode = "ticket-unknown"

    fileprivate static var unknownTicket: APIError {
        var error = APIError(
            .unauthorized, error: "Authentication failed", code: unknownTicketCode,
            message: "The ticket is none, was used, or is older than \(Ticket.lifetimeSeconds) seconds. Get a new one "
                + "with POST /tickets for each connection.")
        error.headers[.wwwAuthenticate] = "Bearer error=\"invalid_token\""
        return error
    }
}
