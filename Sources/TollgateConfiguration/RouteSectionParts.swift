import TollgateCore
import Yams

/// The settings of a route that are more than one value.
extension RouteReader {
    mutating func takeHosts(_ node: Node) {
        for (text, node) in items(node, Place(.hosts)) {
            guard let host = HostPattern(text) else {
                fail(
                    node, Place(.hosts), "\(Self.quoted(text)) is no host",
                    remedy: "Write a name such as api.example.com or '*.example.com', without scheme and port.")
                continue
            }
            note(node, Place(.hosts, host.text))
            route.hosts.append(host)
        }
    }

    mutating func takeScopes(_ node: Node) {
        for (text, node) in items(node, Place(.scopes)) {
            guard let scope = KeyScope(text) else {
                fail(
                    node, Place(.scopes), "\(Self.quoted(text)) is no scope",
                    remedy: "Take 1 to \(KeyScope.maximumLength) lower-case letters, digits and '_-.:/'.")
                continue
            }
            route.requiredScopes.append(scope)
        }
    }

    mutating func takeTimeouts(_ node: Node) {
        for (key, node) in parts(node, Place(.timeouts), known: ["connect", "response", "idle"]) {
            guard let time = value(node, Place(.timeouts, key), as: .duration) else { continue }
            switch key {
            case "connect": route.timeouts.connectMilliseconds = time
            case "response": route.timeouts.responseMilliseconds = time
            default: route.timeouts.idleMilliseconds = time
            }
        }
    }

    mutating func takeLimits(_ node: Node) {
        for (key, node) in parts(node, Place(.limits), known: ["head", "body", "bodyRate"]) {
            guard let size = value(node, Place(.limits, key), as: .size) else { continue }
            switch key {
            case "head": route.limits.headBytes = size
            case "bodyRate": route.limits.bodyRate = size
            default: route.limits.bodyBytes = size
            }
        }
    }

    mutating func takeHealthCheck(_ node: Node) {
        let parts = parts(node, Place(.healthCheck), known: ["path", "interval", "timeout"])
        var check = Route.HealthCheck(path: "")
        for (key, node) in parts {
            let place = Place(.healthCheck, key)
            switch key {
            case "path": check.path = text(node, place) ?? ""
            case "interval":
                check.intervalMilliseconds = value(node, place, as: .duration) ?? check.intervalMilliseconds
            default: check.timeoutMilliseconds = value(node, place, as: .duration) ?? check.timeoutMilliseconds
            }
        }
        if node.mapping != nil, !parts.contains(where: { $0.key == "path" }) {
            fail(
                node, Place(.healthCheck), "there is no path",
                remedy: "Add `path:` with what each upstream is asked for, such as /health.")
        }
        route.healthCheck = check
    }
}

// MARK: - Upstreams

extension RouteReader {
    mutating func takeUpstreams(_ node: Node) {
        for node in node.sequence.map(Array.init) ?? [node] {
            if node.mapping != nil {
                takeWeightedUpstream(node)
            } else if let upstream = upstream(node) {
                route.upstreams.append(upstream)
            }
        }
    }

    private mutating func takeWeightedUpstream(_ node: Node) {
        let parts = parts(node, Place(.upstreams), known: ["url", "weight"])
        guard let url = parts.first(where: { $0.key == "url" })?.node else {
            fail(node, Place(.upstreams), "there is no url", remedy: "Add `url:`, such as http://10.0.0.7:3000.")
            return
        }
        guard var upstream = upstream(url) else { return }
        if let weight = parts.first(where: { $0.key == "weight" })?.node {
            upstream.weight = self.weight(weight) ?? upstream.weight
        }
        route.upstreams.append(upstream)
    }

    /// Checked here, where the line is known.
    private mutating func weight(_ node: Node) -> Int? {
        guard let weight = integer(node, Place(.upstreams, "weight")) else { return nil }
        if Route.weightRange.contains(weight) { return weight }
        let problem = RouteProblem.outOfRange(.upstreams, part: "weight", value: weight, range: Route.weightRange)
        fail(node, Place(.upstreams), problem.message, remedy: problem.remedy)
        return nil
    }

    private mutating func upstream(_ node: Node) -> Route.Upstream? {
        let remedy = "Write it as http://host:port or https://host:port."
        guard let text = node.scalar?.string, !node.isNull else {
            fail(node, Place(.upstreams), "this is not a URL", remedy: remedy)
            return nil
        }
        do throws(WebURL.Problem) {
            let url = try WebURL(text)
            if url.isHTTP, url.isOrigin {
                let usesTLS = url.scheme == "https"
                let upstream = Route.Upstream(usesTLS: usesTLS, host: url.host, port: url.port ?? (usesTLS ? 443 : 80))
                note(node, Place(.upstreams, upstream.origin))
                return upstream
            }
            let problem = url.isHTTP ? "is more than scheme, host and port" : "is not of http:// or https://"
            fail(node, Place(.upstreams), "\(Self.quoted(text)) \(problem)", remedy: remedy)
        } catch {
            fail(node, Place(.upstreams), "\(Self.quoted(text)) \(error.rawValue)", remedy: remedy)
        }
        return nil
    }
}

// MARK: - Header rules

/// Values may be credentials of an upstream, and a slip turns one into a key: neither is ever shown.
extension RouteReader {
    mutating func headerRules(_ node: Node, _ field: Field) -> Route.HeaderRules {
        var rules = Route.HeaderRules()
        for (key, node) in parts(node, Place(field), known: ["set", "remove"]) {
            if key == "set" {
                rules.set = fields(node, field)
            } else {
                rules.remove = items(node, Place(field, key)).map { name, node in
                    note(node, Place(field, name.lowercased()))
                    return name
                }
            }
        }
        return rules
    }

    private mutating func fields(_ node: Node, _ field: Field) -> [Route.HeaderRules.Field] {
        let place = Place(field, "set")
        guard let mapping = node.mapping else {
            fail(node, place, "this is not a mapping", remedy: "Write `Name: value` below it.")
            return []
        }
        return mapping.compactMap { keyNode, node in
            let name = keyNode.scalar?.string ?? ""
            note(node, Place(field, name.lowercased()))
            guard let value = node.scalar?.string, !node.isNull else {
                fail(
                    node, place, "a field there has no value",
                    remedy: "Write `Name: value`, or '' for an empty one; to take a field away use remove.")
                return nil
            }
            return Route.HeaderRules.Field(name, value)
        }
    }
}
