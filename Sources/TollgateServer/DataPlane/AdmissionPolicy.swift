import HTTPTypes
import TollgateCore

/// What a request must bring along, and what it costs.
struct AdmissionPolicy: Sendable {
    /// Whose policy it is. Nil for the one of requests that no route is about.
    let routeName: String?

    let authentication: Route.Authentication
    let scopes: [KeyScope]
    let cost: Int
    let routeLimit: RouteLimit?
    let charge: Route.Charge
    let idempotency: Route.Idempotency
    let onRedisDown: Route.OutagePolicy

    /// How long a reservation may take to be settled, in seconds. It is renewed as long as the request lives.
    let leaseSeconds: Int64

    /// Of requests that no route is about: a call each.
    static let standard = AdmissionPolicy(
        routeName: nil, authentication: .any, scopes: [], cost: 1, routeLimit: nil, charge: .admitted,
        idempotency: .replay, onRedisDown: .closed, leaseSeconds: 60)

    init(_ route: Route) {
        self.init(
            routeName: route.name, authentication: route.authentication, scopes: route.requiredScopes, cost: route.cost,
            routeLimit: route.ratePerMinute.flatMap { RouteLimit(route: route.name, ratePerMinute: $0) },
            charge: route.charge, idempotency: route.idempotency, onRedisDown: route.onRedisDown,
            leaseSeconds: Self.leaseSeconds(route))
    }

    private init(
        routeName: String?, authentication: Route.Authentication, scopes: [KeyScope], cost: Int,
        routeLimit: RouteLimit?, charge: Route.Charge, idempotency: Route.Idempotency,
        onRedisDown: Route.OutagePolicy, leaseSeconds: Int64
    ) {
        self.routeName = routeName
        self.authentication = authentication
        self.scopes = scopes
        self.cost = cost
        self.routeLimit = routeLimit
        self.charge = charge
        self.idempotency = idempotency
        self.onRedisDown = onRedisDown
        self.leaseSeconds = leaseSeconds
    }

    /// All that the upstream may take on every try or that may pass without a byte, and some more.
    private static func leaseSeconds(_ route: Route) -> Int64 {
        let milliseconds = route.timeouts.connectMilliseconds + route.timeouts.responseMilliseconds
        let seconds = Int64(milliseconds * (route.retries + 1) / 1000 + route.timeouts.idleMilliseconds / 1000 + 30)
        return min(seconds, Reservation.Request.maximumLeaseSeconds)
    }

    /// - Throws: The refusal of a credential of the other kind.
    func check(_ credential: PresentedCredential) throws(APIError) {
        switch (authentication, credential) {
        case (.jwt, .key): throw .credentialNotAccepted("This path takes a session token, not an API key.")
        case (.key, .token): throw .credentialNotAccepted("This path takes an API key, not a session token.")
        default: break
        }
    }
}

extension AdmissionPolicy {
    /// - Throws: The refusal of a ticket that stands for a credential of the other kind.
    func check(_ credential: Credential) throws(APIError) {
        switch (authentication, credential.isKey) {
        case (.jwt, true): throw .credentialNotAccepted("This path takes a session token's ticket, not an API key's.")
        case (.key, false): throw .credentialNotAccepted("This path takes an API key's ticket, not a session token's.")
        default: break
        }
    }
}

extension APIError {
    fileprivate static func credentialNotAccepted(_ message: String) -> APIError {
        var error = APIError(
            .unauthorized, error: "Authentication failed", code: "credential-not-accepted", message: message)
        error.headers[.wwwAuthenticate] = "Bearer"
        return error
    }
}
