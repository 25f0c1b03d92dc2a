/// Which hosts a route is about.
package enum HostPattern: Sendable, Hashable {
    /// One name, in the normal form of ``RequestHost``.
    case exactly(String)

    /// Every name below this one, at any depth, and not the name itself.
    case below(String)

    /// Reads `api.example.com` or `*.example.com`. Fails for anything else, also for a port: a client's port is not
    /// always the one that the gateway listens on.
    package init?(_ text: String) {
        let isWildcard = text.hasPrefix("*.")
        let name = isWildcard ? String(text.dropFirst(2)) : text
        guard let host = RequestHost(name), !host.hasPort, !(isWildcard && host.isAddress) else { return nil }
        self = isWildcard ? .below(host.name) : .exactly(host.name)
    }

    /// As it is written in the configuration.
    package var text: String {
        switch self {
        case .exactly(let name): name
        case .below(let name): "*." + name
        }
    }
}

/// Which paths a route is about.
package enum PathPattern: Sendable, Hashable {
    /// This path and all below it. Whole segments count: `/api` has `/api/x` below it and `/apix` not. A slash at the
    /// end makes no difference.
    case prefix(String)

    /// This path alone; a slash at the end makes another path of it.
    case exactly(String)

    package var text: String {
        switch self {
        case .prefix(let path), .exactly(let path): path
        }
    }

    /// The prefix without the slash at its end, empty for `/`. Nil for an exact path.
    package var strippablePrefix: Substring? {
        guard case .prefix(let path) = self else { return nil }
        return path.hasSuffix("/") ? path.dropLast() : path[...]
    }
}
