import TollgateCore

/// What is wrong with a route, in words for the one who wrote it.
extension RouteProblem {
    /// Which part of the field it is about: a key below it, or an item of its list.
    var part: String? {
        switch self {
        case .outOfRange(_, let part, _, _): part
        case .invalidPath(.healthCheck, _): "path"
        case .duplicateHost(let text), .invalidMethod(let text), .duplicateMethod(let text),
            .duplicateUpstream(let text), .invalidUpgrade(let text), .duplicateUpgrade(let text),
            .unsupportedUpgrade(let text):
            text
        case .requiresAllScopes: KeyScope.all.value
        case .reservedScope(let scope), .duplicateScope(let scope): scope.value
        case .invalidHeaderName(_, let name), .invalidHeaderValue(_, let name), .duplicateHeader(_, let name),
            .reservedHeader(_, let name):
            name.lowercased()
        default: nil
        }
    }

    /// A sentence without its full stop.
    var message: String {
        switch self {
        case .tooManyRoutes(let count), .tooMany(_, let count, _): "there are \(count)"
        case .invalidName: "this is no name for a route"
        case .duplicateName: "another route has this name"
        case .outOfRange(let field, let part, let value, _):
            (part.map { $0 + " " } ?? "") + "\(Self.text(of: value, field, part)) is out of range"
        case .duplicateHost(let text), .duplicateMethod(let text), .duplicateUpstream(let text),
            .duplicateUpgrade(let text):
            "\(RouteReader.quoted(text)) stands there twice"
        case .duplicateScope(let scope): "'\(scope)' stands there twice"
        case .invalidPath(_, let problem): "the path \(problem.rawValue)"
        case .pathWithQuery: "the path has a query"
        case .unusualPath: "the path has escapes or parameters that routes are not found by"
        case .invalidMethod(let text): "\(RouteReader.quoted(text)) is no method that can be routed"
        case .conflict(_, let other, let method):
            "the route '\(other)' takes the same requests" + (method.map { " of the method \($0)" } ?? "")
        case .noWeight: "every upstream has the weight 0"
        case .needsUpstream: "the route has no upstreams"
        case .requiresAllScopes: "'*' cannot be required"
        case .reservedScope(let scope): "the scope '\(scope)' is the gateway's own"
        case .needsCaller: "the route knows no caller, since its auth is none"
        case .nothingToCharge: "the route costs nothing"
        case .stripsExactPath: "an exactPath has no prefix that could be left out"
        case .needsPrefix: "nothing is behind an exactPath"
        case .hostIsSetTwice: "requestHeaders set Host as well"
        case .invalidUpgrade(let text): "\(RouteReader.quoted(text)) is no protocol"
        case .unsupportedUpgrade(let text): "'\(text)' is not possible: HTTP/2 would pass requests by unseen"
        case .invalidHeaderName, .invalidHeaderValue, .duplicateHeader, .reservedHeader: headerMessage
        }
    }

    /// Invalid names are not shown: a slip makes a name of a value.
    private var headerMessage: String {
        switch self {
        case .invalidHeaderValue(_, let name):
            "the value of \(Self.quoted(name: name)) has a blank at an end or a character that no field may have"
        case .duplicateHeader(_, let name): "there are several rules for \(Self.quoted(name: name))"
        case .reservedHeader(_, let name): "\(Self.quoted(name: name)) is not for rules to change"
        default: "a name there is no field name"
        }
    }

    /// What to do about it.
    var remedy: String {
        switch self {
        case .tooManyRoutes: "At most \(RouteTable.maximumCount) are possible."
        case .tooMany(_, _, let maximum): "At most \(maximum) are possible."
        case .invalidName: "Take 1 to 64 lower-case letters, digits, '_' and '-'."
        case .duplicateName: "Give each a name of its own; metrics and logs tell the routes apart by it."
        case .outOfRange(let field, let part, _, let range):
            "Give \(Self.text(of: range.lowerBound, field, part)) to \(Self.text(of: range.upperBound, field, part))."
        case .duplicateHost, .duplicateMethod, .duplicateScope, .duplicateUpgrade: "Keep one of them."
        case .duplicateUpstream: "Keep one of them, with a larger weight if it is to have more of the requests."
        case .invalidPath: "Write the path as clients send it, such as /api/v1."
        case .pathWithQuery: "Leave out the '?' and what follows: routes are found by the path alone."
        case .unusualPath(_, let normal): "Write it as \(RouteReader.quoted(normal))."
        case .invalidMethod(let text): Self.remedy(forMethod: text)
        case .conflict: "Give one of the two another path, host or methods."
        case .noWeight: "Give at least one of them a weight from 1 on."
        case .needsUpstream: "Remove it, or add upstreams."
        case .requiresAllScopes: "Name the scopes that the route needs; a key with '*' has every one."
        case .reservedScope(let scope):
            "'\(scope)' lets a key manage its owner's account. Give the route's scope another name, such as "
                + "'\(scope):read'."
        case .needsCaller: "Remove it, or make auth jwt, key or any."
        case .nothingToCharge: "Remove charge, or make the cost 1 or more."
        case .stripsExactPath: "Use path in place of exactPath, or remove stripPrefix."
        case .needsPrefix: "Use path in place of exactPath, or remove it."
        case .hostIsSetTwice: "Keep one of the two."
        case .invalidUpgrade: "Write its name in lower case, such as websocket."
        case .unsupportedUpgrade: "Remove it; websocket and the like are possible."
        case .invalidHeaderName: "Write a name such as X-Api-Version, and its value behind a colon and a blank."
        case .invalidHeaderValue: "Use printable ASCII, on one line."
        case .duplicateHeader: "Keep one of them; the case of letters makes no difference."
        case .reservedHeader(_, let name):
            name.lowercased() == "host" ? "Remove the rule, or set Host." : "Remove the rule: the gateway sees to it."
        }
    }

    private static func remedy(forMethod text: String) -> String {
        let capitals = text.uppercased()
        return text != capitals && HTTPToken.isValid(capitals)
            ? "Write it in capitals: \(capitals)." : "Name methods such as GET; without any, all are taken."
    }

    private static func text(of value: Int, _ field: Field, _ part: String?) -> String {
        switch field {
        case .timeouts, .healthCheck: Measure.duration.text(of: value)
        case .limits: Measure.size.text(of: value)
        default: String(value)
        }
    }

    private static func quoted(name: String) -> String {
        HTTPToken.isValid(name) ? RouteReader.quoted(name) : "a field"
    }
}
