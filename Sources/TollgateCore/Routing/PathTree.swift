/// The routes of one host, by their paths' segments: to find one, as many dictionaries are asked as the path has
/// segments that any route knows, however many routes there are.
struct PathTree: Sendable {
    /// The routes of one path, by method.
    struct Methods: Sendable {
        /// For the methods that no route names.
        var other: Int?
        var named: [String: Int] = [:]

        /// For the Allow field; sorted.
        var allowed: [String] = []
    }

    private struct Node: Sendable {
        var children: [Substring: Int] = [:]

        /// In ``PathTree/methods``.
        var prefix: Int?
        var exact: Int?
    }

    private var nodes = [Node()]
    private(set) var methods: [Methods] = []

    /// The methods of the exact path, else of the longest prefix. Nil when the path is unknown.
    ///
    /// - Parameter path: In its normal form.
    func find(_ path: String) -> Int? {
        var node = 0
        var longest = nodes[0].prefix
        var rest = path.dropFirst()
        while true {
            let slash = rest.utf8.firstIndex(of: UInt8(ascii: "/"))
            guard let child = nodes[node].children[rest[..<(slash ?? rest.endIndex)]] else { return longest }
            node = child
            longest = nodes[node].prefix ?? longest
            guard let slash else { return nodes[node].exact ?? longest }
            rest = rest[rest.utf8.index(after: slash)...]
        }
    }

    /// Adds a route.
    ///
    /// - Parameter route: Its place in the table.
    /// - Returns: The routes that claim the same requests already, with the method; nil stands for all others.
    mutating func insert(
        _ pattern: PathPattern, methods names: [String], route: Int
    ) -> [(route: Int, method: String?)] {
        let entry = entry(for: pattern)
        guard !names.isEmpty else {
            if let other = methods[entry].other { return [(other, nil)] }
            methods[entry].other = route
            return []
        }
        var conflicts: [(route: Int, method: String?)] = []
        for name in names {
            if let other = methods[entry].named[name] {
                if other != route { conflicts.append((other, name)) }
            } else {
                methods[entry].named[name] = route
            }
        }
        return conflicts
    }

    /// Lets `GET` take `HEAD` and writes down what is allowed, when all routes are there.
    mutating func finish() {
        for entry in methods.indices {
            if methods[entry].named["HEAD"] == nil { methods[entry].named["HEAD"] = methods[entry].named["GET"] }
            methods[entry].allowed = methods[entry].named.keys.sorted()
        }
    }

    /// The methods of a path, new ones if need be.
    private mutating func entry(for pattern: PathPattern) -> Int {
        let text = pattern.strippablePrefix ?? pattern.text[...]
        let node = text.isEmpty ? 0 : node(at: text.dropFirst())
        let known: Int?
        switch pattern {
        case .prefix: known = nodes[node].prefix
        case .exactly: known = nodes[node].exact
        }
        if let known { return known }
        methods.append(Methods())
        switch pattern {
        case .prefix: nodes[node].prefix = methods.count - 1
        case .exactly: nodes[node].exact = methods.count - 1
        }
        return methods.count - 1
    }

    private mutating func node(at path: Substring) -> Int {
        var node = 0
        for segment in path.split(separator: "/", omittingEmptySubsequences: false) {
            if let child = nodes[node].children[segment] {
                node = child
            } else {
                nodes.append(Node())
                nodes[node].children[segment] = nodes.count - 1
                node = nodes.count - 1
            }
        }
        return node
    }
}
