/// What is wrong with a route, or with routes together.
package enum RouteProblem: Error, Sendable, Hashable {
    /// What a problem is about, by its name in the configuration.
    package enum Field: String, Sendable, Hashable, CaseIterable {
        case name, hosts, path, exactPath, methods, upstreams, auth, scopes, cost, ratePerMinute, charge, idempotency
        case onRedisDown, timeouts, retries, limits, requestHeaders, responseHeaders, encodedSlashes, doubleSlashes
        case stripPrefix, mapLocations, hostHeader, healthCheck, upgrades
    }

    case tooManyRoutes(Int)
    case invalidName
    case duplicateName
    case tooMany(Field, count: Int, maximum: Int)
    case outOfRange(Field, part: String?, value: Int, range: ClosedRange<Int>)

    case duplicateHost(String)
    case invalidPath(Field, RequestTarget.Problem)
    case pathWithQuery(Field)
    /// The path is written with needless escapes; this is how it should be.
    case unusualPath(Field, normal: String)
    case invalidMethod(String)
    case duplicateMethod(String)
    /// Requests of this method would fit this route and that one equally well. Nil: of any method.
    case conflict(Field, with: String, method: String?)

    case duplicateUpstream(String)
    case noWeight
    /// A setting that is about upstreams, on a route that has none.
    case needsUpstream(Field)

    /// `*`, which a key may have and no admission can ask for.
    case requiresAllScopes
    /// A scope of the gateway's own.
    case reservedScope(KeyScope)
    case duplicateScope(KeyScope)
    /// A setting that needs to know the caller, on a route that authenticates no request.
    case needsCaller(Field)
    /// `charge: success` of nothing.
    case nothingToCharge
    case stripsExactPath
    /// A setting that is about what follows a prefix, on a route that has none.
    case needsPrefix(Field)
    /// `hostHeader: upstream`, and a rule that sets Host.
    case hostIsSetTwice

    case invalidUpgrade(String)
    case duplicateUpgrade(String)
    /// HTTP/2, which no client gets by changing to it.
    case unsupportedUpgrade(String)

    case invalidHeaderName(Field, String)
    case invalidHeaderValue(Field, name: String)
    case duplicateHeader(Field, name: String)
    /// The gateway itself answers for this field.
    case reservedHeader(Field, name: String)

    /// Where the problem is to be corrected.
    package var field: Field {
        switch self {
        case .tooManyRoutes, .invalidName, .duplicateName: .name
        case .tooMany(let field, _, _), .outOfRange(let field, _, _, _), .invalidPath(let field, _),
            .pathWithQuery(let field), .unusualPath(let field, _), .conflict(let field, _, _), .needsCaller(let field),
            .needsPrefix(let field), .needsUpstream(let field), .invalidHeaderName(let field, _),
            .invalidHeaderValue(let field, _),
            .duplicateHeader(let field, _),
            .reservedHeader(let field, _):
            field
        case .duplicateHost: .hosts
        case .invalidMethod, .duplicateMethod: .methods
        case .duplicateUpstream, .noWeight: .upstreams
        case .requiresAllScopes, .reservedScope, .duplicateScope: .scopes
        case .nothingToCharge: .charge
        case .stripsExactPath: .stripPrefix
        case .hostIsSetTwice: .hostHeader
        case .invalidUpgrade, .duplicateUpgrade, .unsupportedUpgrade: .upgrades
        }
    }
}

/// Everything that is wrong with some routes.
package struct InvalidRoutes: Error, Sendable, Hashable {
    package struct Entry: Sendable, Hashable {
        /// The place of the route among those that were given.
        package let index: Int
        package let problem: RouteProblem
    }

    package let entries: [Entry]
}
