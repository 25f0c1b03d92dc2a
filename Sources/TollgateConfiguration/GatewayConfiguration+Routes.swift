import TollgateCore

extension RouteTable {
    /// The routes as `tollgate check-config` shows them, without any header's value.
    ///
    /// - Parameter places: Where each of them stands.
    package func lines(places: [String]) -> [ConfigurationLine] {
        zip(routes, places).map { ConfigurationLine("routes.\($0.name)", $0.summary, place: $1) }
    }
}

extension Route {
    fileprivate var summary: String {
        let target =
            switch path {
            case .prefix(let text): "\(text) and below"
            case .exactly(let text): "\(text) alone"
            }
        let hosts = hosts.isEmpty ? "any host" : hosts.map(\.text).joined(separator: " ")
        var parts = ["\(hosts) \(target)", "auth \(authentication.rawValue)", "cost \(cost)"]
        if !methods.isEmpty { parts.insert(methods.joined(separator: " "), at: 1) }
        if !requiredScopes.isEmpty {
            parts.append("scopes " + requiredScopes.map(\.value).joined(separator: " "))
        }
        if let ratePerMinute { parts.append("\(ratePerMinute) a minute") }
        if idempotency != .retry { parts.append("idempotency \(idempotency.rawValue)") }
        if limits.bodyRate != Limits().bodyRate {
            parts.append(limits.bodyRate == 0 ? "any bodyRate" : "bodyRate \(limits.bodyRate) bytes")
        }
        if encodedSlashes == .pass { parts.append("%2F passes") }
        if doubleSlashes == .pass { parts.append("// passes") }
        let origins = upstreams.map(\.origin).joined(separator: " ")
        parts.append(origins.isEmpty ? "no upstreams" : "to " + origins)
        return parts.joined(separator: ", ")
    }
}
