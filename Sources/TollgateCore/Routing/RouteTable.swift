/// All routes, arranged for finding the one that a request is for.
///
/// A route fits when its host and its path do. Of those that fit, the most specific host counts: the name itself, then
/// the longest `*.` pattern, then any host; and of these, the exact path, then the longest prefix. The method is looked
/// at last: a request never slips from a route that does not take its method into a wider one.
package struct RouteTable: Sendable {
    package static let maximumCount = 4_096

    /// A route of the table. A class, so that handing one out is a retain and not a copy of all its parts.
    package final class Entry: Sendable {
        package let route: Route

        /// Its place in ``RouteTable/entries``.
        package let index: Int

        init(route: Route, index: Int) {
            self.route = route
            self.index = index
        }
    }

    /// What a request is for.
    package enum Match: Sendable {
        case route(Entry)
        /// 405; the methods are sorted, for the Allow field.
        case methodNotAllowed(allowed: [String])
        /// 404.
        case notFound
    }

    /// In the order of the configuration.
    package let entries: [Entry]

    private let exactHosts: [String: PathTree]

    /// By the name below which they match.
    private let hostsBelow: [Substring: PathTree]
    private let anyHost: PathTree

    /// No routes at all.
    package static let empty = RouteTable(routes: [], trees: HostTrees())

    package var routes: [Route] { entries.map(\.route) }
    package var isEmpty: Bool { entries.isEmpty }

    /// - Throws: Everything that is wrong with the routes, each alone and all together.
    package init(_ routes: [Route]) throws(InvalidRoutes) {
        var problems: [InvalidRoutes.Entry] = []
        if routes.count > Self.maximumCount {
            problems.append(.init(index: 0, problem: .tooManyRoutes(routes.count)))
        }
        var names = Set<String>()
        var trees = HostTrees()
        for (index, route) in routes.enumerated() {
            var found = route.problems
            if !names.insert(route.name).inserted { found.append(.duplicateName) }
            // What is wrong in itself conflicts with nothing.
            if found.isEmpty {
                found = trees.insert(route, index: index).map {
                    .conflict(route.pathField, with: routes[$0.route].name, method: $0.method)
                }
            }
            problems += found.map { InvalidRoutes.Entry(index: index, problem: $0) }
        }
        guard problems.isEmpty else { throw InvalidRoutes(entries: problems) }
        trees.finish()
        self.init(routes: routes, trees: trees)
    }

    private init(routes: [Route], trees: HostTrees) {
        entries = routes.enumerated().map { Entry(route: $1, index: $0) }
        exactHosts = trees.exact
        hostsBelow = trees.below
        anyHost = trees.any
    }

    /// The route that a request is for.
    ///
    /// An odd target passes where all its readings find one and the same route, and that route takes it: no server reads
    /// it as a path of another route.
    ///
    /// - Parameters:
    ///   - host: Nil for a request without one, which only routes for any host fit.
    ///   - method: As sent; methods are case-sensitive.
    /// - Throws: Why the target is refused.
    package func match(
        host: RequestHost?, target: RequestTarget, method: String
    ) throws(RequestTarget.Problem) -> Match {
        guard let oddity = target.oddity else { return match(host: host, path: target.normalPath, method: method) }
        var found: Entry?
        for reading in target.readings {
            guard case .route(let entry) = match(host: host, path: reading, method: method),
                found == nil || found === entry, entry.route.takes(odd: target)
            else { throw found == nil ? oddity : .ambiguous }
            found = entry
        }
        guard let found else { throw oddity }
        return .route(found)
    }

    /// - Parameter path: ``RequestTarget/normalPath`` of a target that is not odd.
    package func match(host: RequestHost?, path: String, method: String) -> Match {
        if let host {
            if let tree = exactHosts[host.name], let match = match(in: tree, path, method) { return match }
            if !hostsBelow.isEmpty, let match = matchBelow(host.name, path, method) { return match }
        }
        return match(in: anyHost, path, method) ?? .notFound
    }

    private func matchBelow(_ host: String, _ path: String, _ method: String) -> Match? {
        var rest = host[...]
        while let dot = rest.utf8.firstIndex(of: UInt8(ascii: ".")) {
            rest = rest[rest.utf8.index(after: dot)...]
            if let tree = hostsBelow[rest], let match = match(in: tree, path, method) { return match }
        }
        return nil
    }

    private func match(in tree: PathTree, _ path: String, _ method: String) -> Match? {
        guard let found = tree.find(path) else { return nil }
        if let index = tree.methods[found].named[method] ?? tree.methods[found].other { return .route(entries[index]) }
        return .methodNotAllowed(allowed: tree.methods[found].allowed)
    }
}

/// Equal when the routes are: the arrangement follows from them.
extension RouteTable: Equatable {
    package static func == (left: Self, right: Self) -> Bool { left.routes == right.routes }
}

/// The trees while they are being built.
private struct HostTrees {
    var exact: [String: PathTree] = [:]
    var below: [Substring: PathTree] = [:]
    var any = PathTree()

    /// The routes that claim the same requests, each with one method.
    mutating func insert(_ route: Route, index: Int) -> [(route: Int, method: String?)] {
        guard !route.hosts.isEmpty else {
            return any.insert(route.path, methods: route.methods, route: index)
        }
        var conflicts: [(route: Int, method: String?)] = []
        for host in route.hosts {
            let found =
                switch host {
                case .exactly(let name):
                    exact[name, default: PathTree()].insert(route.path, methods: route.methods, route: index)
                case .below(let name):
                    below[name[...], default: PathTree()].insert(route.path, methods: route.methods, route: index)
                }
            for conflict in found where !conflicts.contains(where: { $0 == conflict }) { conflicts.append(conflict) }
        }
        return conflicts
    }

    mutating func finish() {
        for name in exact.keys { exact[name]?.finish() }
        for name in below.keys { below[name]?.finish() }
        any.finish()
    }
}
