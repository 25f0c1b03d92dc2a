import HTTPTypes
package import TollgateCore

/// What a request must bring along, and what it costs.
///
/// A class, so that every request shares it instead of copying its parts.
package final class AdmissionPolicy: Sendable {
    /// What the calls are booked under in the user's days. Nil for requests that no route is about.
    let bookedUnder: String?

    let authentication: Route.Authentication
    let scopes: [KeyScope]
    let cost: Int
    let quotaPolicy: AdmissionRequest.QuotaPolicy
    let routeLimit: RouteLimit?
    let charge: Route.Charge
    let idempotency: Route.Idempotency
    let onRedisDown: Route.OutagePolicy

    /// How long a reservation may take to be settled, in seconds. It is renewed as long as the request lives.
    let leaseSeconds: Int64

    /// The request ends a key. A full minute does not prevent that, for one who has found the key could keep it full.
    let endsKey: Bool

    /// It is only asked where the limits stand: nothing is charged, and neither limit refuses.
    let onlyTells: Bool

    private init(
        bookedUnder: String?, authentication: Route.Authentication = .any, scopes: [KeyScope] = [], cost: Int = 1,
        quotaPolicy: AdmissionRequest.QuotaPolicy = .enforce, routeLimit: RouteLimit? = nil,
        charge: Route.Charge = .admitted, idempotency: Route.Idempotency = .retry,
        onRedisDown: Route.OutagePolicy = .closed, leaseSeconds: Int64 = standardLeaseSeconds, endsKey: Bool = false,
        onlyTells: Bool = false
    ) {
        self.bookedUnder = bookedUnder
        self.authentication = authentication
        self.scopes = scopes
        self.cost = cost
        self.quotaPolicy = quotaPolicy
        self.routeLimit = routeLimit
        self.charge = charge
        self.idempotency = idempotency
        self.onRedisDown = onRedisDown
        self.leaseSeconds = leaseSeconds
        self.endsKey = endsKey
        self.onlyTells = onlyTells
    }

    private static let standardLeaseSeconds: Int64 = 60

    /// Of requests that no route is about: a call each.
    package static let standard = AdmissionPolicy(bookedUnder: nil, idempotency: .replay)

    package convenience init(_ route: Route) {
        self.init(
            bookedUnder: route.name, authentication: route.authentication, scopes: route.requiredScopes,
            cost: route.cost,
            routeLimit: route.ratePerMinute.flatMap { RouteLimit(route: route.name, ratePerMinute: $0) },
            charge: route.charge, idempotency: route.idempotency, onRedisDown: route.onRedisDown,
            leaseSeconds: Self.leaseSeconds(route))
    }

    /// Of what the control plane does for a caller: it is paid for if it succeeds.
    ///
    /// - Parameters:
    ///   - bookedUnder: The endpoint, in the form of a route's name.
    ///   - scopes: What a key needs. All that its owner may do unless told otherwise, or a key that is good for little
    ///     could fetch one that is good for everything.
    package static func endpoint(
        _ bookedUnder: String, cost: Int = 1, quotaPolicy: AdmissionRequest.QuotaPolicy = .enforce,
        scopes: [KeyScope] = [.all], endsKey: Bool = false
    ) -> AdmissionPolicy {
        AdmissionPolicy(
            bookedUnder: bookedUnder, scopes: scopes, cost: cost, quotaPolicy: quotaPolicy, charge: .success,
            endsKey: endsKey)
    }

    /// Of questions where the caller's limits stand.
    static let onlyTelling = AdmissionPolicy(bookedUnder: "other", onlyTells: true)

    /// All that the upstream may take on every try or that may pass without a byte, and some more.
    private static func leaseSeconds(_ route: Route) -> Int64 {
        let milliseconds = route.timeouts.connectMilliseconds + route.timeouts.responseMilliseconds
        let seconds = Int64(milliseconds * (route.retries + 1) / 1000 + route.timeouts.idleMilliseconds / 1000 + 30)
        return min(seconds, Reservation.Request.maximumLeaseSeconds)
    }
}

extension AdmissionPolicy {
    /// What the store is asked to try, when an operator wants to know what would become of a request.
    ///
    /// - Parameter scopes: What it needs beside what the route does.
    package func trial(
        of principal: Principal, at time: UnixTime, from network: ClientNetwork?, needing scopes: [KeyScope]
    ) -> AdmissionRequest {
        AdmissionRequest(
            principal: principal, time: time, network: network, cost: cost, route: bookedUnder ?? "verify-auth",
            quotaPolicy: quotaPolicy, requiredScopes: self.scopes + scopes, routeLimit: routeLimit)
    }

    /// - Throws: The refusal of a credential of the other kind.
    package func check(_ credential: PresentedCredential) throws(APIError) {
        switch (authentication, credential) {
        case (.jwt, .key): throw .credentialNotAccepted("This path takes a session token, not an API key.")
        case (.key, .token): throw .credentialNotAccepted("This path takes an API key, not a session token.")
        default: break
        }
    }

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
