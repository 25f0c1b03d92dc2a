/// What a route may say.
extension Route {
    package static let maximumHosts = 64
    package static let maximumMethods = 32
    package static let maximumUpstreams = 64
    package static let maximumScopes = KeyScope.maximumCount
    package static let maximumUpgrades = 16

    /// Rules for one direction.
    package static let maximumHeaderRules = 64
    package static let weightRange = 0...1_000

    /// So that no request can be refused for ever: every plan's quota may be smaller all the same.
    static let costRange = 0...1_000_000
    static let rateRange = 0...Plan.maximumLimit
    static let retryRange = 0...5
    static let connectTimeoutRange = 1...60_000
    static let responseTimeoutRange = 1...3_600_000
    static let idleTimeoutRange = 1...86_400_000
    static let headLimitRange = 1_024...1_048_576
    static let bodyLimitRange = 0...1 << 40
    static let bodyRateRange = 0...1 << 30
    static let healthIntervalRange = 100...3_600_000
    static let healthTimeoutRange = 10...60_000

    /// Everything that is wrong with this route alone.
    package var problems: [RouteProblem] {
        (Plan.isValidName(name) ? [] : [.invalidName]) + matchProblems + upstreamProblems + healthProblems
            + upgradeProblems + accessProblems + numberProblems + requestHeaders.problems(.requestHeaders)
            + responseHeaders.problems(.responseHeaders)
    }

    /// Where the path stands in the configuration.
    package var pathField: RouteProblem.Field {
        switch path {
        case .prefix: .path
        case .exactly: .exactPath
        }
    }

    private var matchProblems: [RouteProblem] {
        var problems: [RouteProblem] = []
        problems += Self.tooMany(.hosts, hosts.count, Self.maximumHosts)
        problems += hosts.duplicates.map { .duplicateHost($0.text) }
        do throws(RequestTarget.Problem) {
            let target = try RequestTarget(path.text)
            if target.query != nil {
                problems.append(.pathWithQuery(pathField))
            } else if target.normalPath != path.text {
                problems.append(.unusualPath(pathField, normal: target.normalPath))
            }
        } catch {
            problems.append(.invalidPath(pathField, error))
        }
        problems += Self.tooMany(.methods, methods.count, Self.maximumMethods)
        // CONNECT asks for a tunnel, which is no resource of an upstream.
        problems += methods.filter { !HTTPToken.isValid($0) || $0 != $0.uppercased() || $0 == "CONNECT" }
            .map { .invalidMethod($0) }
        problems += methods.duplicates.map { .duplicateMethod($0) }
        guard path.strippablePrefix == nil else { return problems }
        if stripsPrefix { problems.append(.stripsExactPath) }
        if encodedSlashes == .pass { problems.append(.needsPrefix(.encodedSlashes)) }
        if doubleSlashes == .pass { problems.append(.needsPrefix(.doubleSlashes)) }
        return problems
    }

    private var upstreamProblems: [RouteProblem] {
        var problems = Self.tooMany(.upstreams, upstreams.count, Self.maximumUpstreams)
        for upstream in upstreams {
            problems += Self.outOfRange(.upstreams, "port", upstream.port, 1...65_535)
            problems += Self.outOfRange(.upstreams, "weight", upstream.weight, Self.weightRange)
        }
        problems += upstreams.map(\.origin).duplicates.map { .duplicateUpstream($0) }
        if !upstreams.isEmpty, upstreams.allSatisfy({ $0.weight == 0 }) { problems.append(.noWeight) }
        if hostHeader == .upstream {
            if upstreams.isEmpty { problems.append(.needsUpstream(.hostHeader)) }
            if requestHeaders.set.contains(where: { $0.name.lowercased() == "host" }) {
                problems.append(.hostIsSetTwice)
            }
        }
        return problems
    }

    private var healthProblems: [RouteProblem] {
        guard let healthCheck else { return [] }
        var problems: [RouteProblem] = upstreams.isEmpty ? [.needsUpstream(.healthCheck)] : []
        do throws(RequestTarget.Problem) {
            _ = try RequestTarget(healthCheck.path)
        } catch {
            problems.append(.invalidPath(.healthCheck, error))
        }
        problems += Self.outOfRange(
            .healthCheck, "interval", healthCheck.intervalMilliseconds, Self.healthIntervalRange)
        problems += Self.outOfRange(.healthCheck, "timeout", healthCheck.timeoutMilliseconds, Self.healthTimeoutRange)
        return problems
    }

    private var upgradeProblems: [RouteProblem] {
        Self.tooMany(.upgrades, upgrades.count, Self.maximumUpgrades)
            + upgrades.filter { !HTTPToken.isValid($0) || $0 != $0.lowercased() }.map { .invalidUpgrade($0) }
            // HTTP/2 would hide every further request from the gateway.
            + upgrades.filter { ["h2", "h2c"].contains($0) }.map { .unsupportedUpgrade($0) }
            + upgrades.duplicates.map { .duplicateUpgrade($0) }
    }

    private var accessProblems: [RouteProblem] {
        var problems = Self.tooMany(.scopes, requiredScopes.count, Self.maximumScopes)
        if requiredScopes.contains(.all) { problems.append(.requiresAllScopes) }
        problems += requiredScopes.filter { $0 != .all && KeyScope.management.contains($0) }.map { .reservedScope($0) }
        problems += requiredScopes.duplicates.map { .duplicateScope($0) }
        if authentication == .none {
            if !requiredScopes.isEmpty { problems.append(.needsCaller(.scopes)) }
            if cost != 0 { problems.append(.needsCaller(.cost)) }
            if ratePerMinute != nil { problems.append(.needsCaller(.ratePerMinute)) }
            if idempotency == .replay { problems.append(.needsCaller(.idempotency)) }
        }
        if idempotency == .replay, upstreams.isEmpty { problems.append(.needsUpstream(.idempotency)) }
        if charge == .success, cost == 0 { problems.append(.nothingToCharge) }
        return problems
    }

    private var numberProblems: [RouteProblem] {
        Self.outOfRange(.cost, nil, cost, Self.costRange)
            + (ratePerMinute.map { Self.outOfRange(.ratePerMinute, nil, $0, Self.rateRange) } ?? [])
            + Self.outOfRange(.retries, nil, retries, Self.retryRange)
            + Self.outOfRange(.timeouts, "connect", timeouts.connectMilliseconds, Self.connectTimeoutRange)
            + Self.outOfRange(.timeouts, "response", timeouts.responseMilliseconds, Self.responseTimeoutRange)
            + Self.outOfRange(.timeouts, "idle", timeouts.idleMilliseconds, Self.idleTimeoutRange)
            + (limits.headBytes.map { Self.outOfRange(.limits, "head", $0, Self.headLimitRange) } ?? [])
            + Self.outOfRange(.limits, "body", limits.bodyBytes, Self.bodyLimitRange)
            + Self.outOfRange(.limits, "bodyRate", limits.bodyRate, Self.bodyRateRange)
    }

    private static func tooMany(_ field: RouteProblem.Field, _ count: Int, _ maximum: Int) -> [RouteProblem] {
        count > maximum ? [.tooMany(field, count: count, maximum: maximum)] : []
    }

    private static func outOfRange(
        _ field: RouteProblem.Field, _ part: String?, _ value: Int, _ range: ClosedRange<Int>
    ) -> [RouteProblem] {
        range.contains(value) ? [] : [.outOfRange(field, part: part, value: value, range: range)]
    }
}

extension Route.HeaderRules {
    /// Fields that frame the message or belong to one connection (RFC 9110, section 7.6.1), in lower case.
    private static let reserved: Set = [
        "connection", "content-length", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    ]

    fileprivate func problems(_ field: RouteProblem.Field) -> [RouteProblem] {
        let names = set.map(\.name) + remove
        var problems: [RouteProblem] = []
        if names.count > Route.maximumHeaderRules {
            problems.append(.tooMany(field, count: names.count, maximum: Route.maximumHeaderRules))
        }
        for name in names where !HTTPToken.isValid(name) { problems.append(.invalidHeaderName(field, name)) }
        for rule in set where !HTTPToken.isFieldValue(rule.value) {
            problems.append(.invalidHeaderValue(field, name: rule.name))
        }
        problems += names.map { $0.lowercased() }.duplicates.map { .duplicateHeader(field, name: $0) }
        problems += names.filter(Self.isReserved).map { .reservedHeader(field, name: $0) }
        // An upstream needs a host; which one may be chosen.
        problems += remove.filter { $0.lowercased() == "host" }.map { .reservedHeader(field, name: $0) }
        return problems
    }

    /// Framing, and the fields that name the caller: the gateway writes them, and a rule could only falsify them.
    private static func isReserved(_ name: String) -> Bool {
        let name = name.lowercased()
        return reserved.contains(name) || name.hasPrefix("x-tollgate-")
    }
}

extension Array where Element: Hashable {
    /// Each element that stands there again, once.
    fileprivate var duplicates: [Element] {
        var seen = Set<Element>()
        var duplicates: [Element] = []
        for element in self where !seen.insert(element).inserted && !duplicates.contains(element) {
            duplicates.append(element)
        }
        return duplicates
    }
}
