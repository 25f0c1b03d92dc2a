import TollgateCore
import TollgateDataPlane

/// The call that an explanation tries: one that no route is about, or one to a route, whose cost, scopes and rate count.
struct TriedCall: Sendable {
    /// Nil when no route is named.
    let route: Route?
    let policy: AdmissionPolicy
    var scopes: [KeyScope] = []

    /// Where it comes from. Nil: that is not to matter.
    var network: ClientNetwork?

    /// A call of one that no route is about.
    static let standard = TriedCall(route: nil)

    init(route: Route?) {
        self.route = route
        policy = route.map { AdmissionPolicy($0) } ?? .standard
    }

    func request(of principal: Principal, at time: UnixTime) -> AdmissionRequest {
        policy.trial(of: principal, at: time, from: network, needing: scopes)
    }

    /// What would become of the call if `presented` were its credential.
    func outcome(
        of principal: Principal, presenting presented: PresentedCredential, in store: any AdmissionStore,
        at time: UnixTime
    ) async throws(StoreUnavailable) -> NextCall {
        if let open = NextCall(opening: route) { return open }
        do throws(APIError) { try policy.check(presented) } catch { return NextCall(error) }
        return NextCall(
            try await store.peek(request(of: principal, at: time)), on: route, isFromNowhere: network == nil, at: time)
    }
}

/// Makes ``TriedCall``s of what operators name.
struct TriedCalls: Sendable {
    /// Those in force.
    let routes: @Sendable () -> RouteTable

    /// - Parameter name: Of a route. Nil: none.
    func call(_ name: String?) throws(APIError) -> TriedCall {
        guard let name else { return .standard }
        let routes = routes().routes
        guard let route = routes.first(where: { $0.name == name }) else {
            let names = routes.map(\.name).prefix(20).joined(separator: ", ")
            throw .badRequest(
                "There is no route '\(name.prefix(64))'. "
                    + (names.isEmpty ? "No routes are configured." : "The routes are \(names)."))
        }
        return TriedCall(route: route)
    }

    /// The call that a body describes by `route`, `scopes` and `from`.
    func call(_ members: JSONBody) throws(APIError) -> TriedCall {
        var call = try call(try members.string("route", example: "orders"))
        call.scopes = try (members.strings("scopes", example: #"["read"]"#) ?? []).map { text throws(APIError) in
            guard let scope = KeyScope(text) else { throw .badRequest("'\(text.prefix(64))' is no scope.") }
            return scope
        }
        guard let from = try members.string("from", example: "203.0.113.7") else { return call }
        guard let network = ClientNetwork(address: from) else {
            throw .badRequest("'from' takes an address, such as 203.0.113.7.")
        }
        call.network = network
        return call
    }

    static let memberNames = ["route", "scopes", "from"]
}
