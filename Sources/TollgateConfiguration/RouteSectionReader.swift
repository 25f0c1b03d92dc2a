import TollgateCore
import Yams

/// One route of `tollgate.yaml`, read with the line of everything that it says.
struct RouteReader {
    typealias Field = RouteProblem.Field

    /// One thing that is wrong, and where.
    struct Finding {
        let line: Int
        let message: String
        let remedy: String
    }

    /// A value of the route.
    struct Place: Hashable {
        let field: Field

        /// A key below the field's, or an item of its list.
        let part: String?

        init(_ field: Field, _ part: String? = nil) {
            self.field = field
            self.part = part
        }

        /// Such as `timeouts.connect`.
        var label: String { field.rawValue + (part.map { "." + $0 } ?? "") }
    }

    /// The line where the route begins.
    let line: Int

    /// What messages call it.
    private let title: String

    /// With defaults in place of what could not be read.
    var route: Route

    private(set) var findings: [Finding] = []
    private(set) var unreadable: Set<Field> = []
    private var lines: [Place: Int] = [:]

    private static let keys = ["name", "host"] + Field.allCases.map(\.rawValue).filter { $0 != "name" }
    private static let decisive: Set<Field> = [.name, .hosts, .path, .exactPath, .methods]

    /// - Parameter position: From 1; what a route without a name is called by.
    init(_ node: Node, position: Int) {
        line = node.line
        let name = Self.text("name", in: node)
        title = Plan.isValidName(name) ? "route '\(name)'" : "route \(position)"
        // The cost that holds when none is given depends on it.
        let authentication = Route.Authentication(rawValue: Self.text("auth", in: node))
        route = Route(name: "", path: .prefix(""), authentication: authentication ?? .any)
        if let mapping = node.mapping {
            read(mapping)
        } else {
            unreadable = Set(Field.allCases)
            report(line, "is not a mapping", remedy: "Write its keys below the dash, such as `name: api`.")
        }
    }

    private static func text(_ key: String, in node: Node) -> String {
        node.mapping?.first { $0.key.scalar?.string == key }?.value.scalar?.string ?? ""
    }

    /// What it claims could be read, so other routes can be compared with it.
    var isComparable: Bool { unreadable.isDisjoint(with: Self.decisive) }

    /// A problem with its line. Nil for one that only comes of what could not be read.
    func finding(_ problem: RouteProblem) -> Finding? {
        if unreadable.contains(problem.field) { return nil }
        if case .needsUpstream = problem, unreadable.contains(.upstreams) { return nil }
        let place = Place(problem.field, problem.part)
        let line = lines[place] ?? lines[Place(problem.field)] ?? line
        return Finding(line: line, message: message(at: place.field, problem.message), remedy: problem.remedy)
    }

    private mutating func read(_ mapping: Node.Mapping) {
        var given: Set<String> = []
        for (keyNode, node) in mapping {
            let key = keyNode.scalar?.string ?? ""
            guard let field = key == "host" ? .hosts : Field(rawValue: key) else {
                report(
                    keyNode.line, "has the unknown key \(Self.quoted(key: key))",
                    remedy: Suggestion.remedy(for: key, among: Self.keys))
                continue
            }
            if node.isNull { continue }
            given.insert(key)
            note(node, Place(field))
            take(node, for: field)
        }
        checkKeys(given)
    }

    private mutating func checkKeys(_ given: Set<String>) {
        for pair in [["host", "hosts"], ["path", "exactPath"]] where given.isSuperset(of: pair) {
            report(line, "has \(pair[0]) and \(pair[1])", remedy: "Keep one of them.")
            unreadable.formUnion([pair[0] == "host" ? .hosts : .path])
        }
        if !given.contains("name") {
            report(line, "has no name", remedy: "Add `name:`; metrics and logs tell the routes apart by it.")
            unreadable.insert(.name)
        }
        if given.isDisjoint(with: ["path", "exactPath"]) {
            report(line, "has no path", remedy: "Add `path: /` for all paths, or one such as `path: /api`.")
            unreadable.insert(.path)
        }
        if !unreadable.isDisjoint(with: [.path, .exactPath]) { unreadable.formUnion([.path, .exactPath]) }
    }

    private mutating func take(_ node: Node, for field: Field) {
        let place = Place(field)
        switch field {
        case .name: route.name = text(node, place) ?? ""
        case .hosts: takeHosts(node)
        case .path: route.path = .prefix(text(node, place) ?? "")
        case .exactPath: route.path = .exactly(text(node, place) ?? "")
        case .methods: route.methods = texts(node, place)
        case .upstreams: takeUpstreams(node)
        case .auth: route.authentication = choice(node, place) ?? route.authentication
        case .scopes: takeScopes(node)
        case .cost: route.cost = integer(node, place) ?? route.cost
        case .ratePerMinute: route.ratePerMinute = integer(node, place)
        case .charge: route.charge = choice(node, place) ?? route.charge
        case .idempotency: route.idempotency = choice(node, place) ?? route.idempotency
        case .onRedisDown: route.onRedisDown = choice(node, place) ?? route.onRedisDown
        case .timeouts: takeTimeouts(node)
        case .retries: route.retries = integer(node, place) ?? route.retries
        case .limits: takeLimits(node)
        case .requestHeaders: route.requestHeaders = headerRules(node, field)
        case .responseHeaders: route.responseHeaders = headerRules(node, field)
        case .encodedSlashes: route.encodedSlashes = choice(node, place) ?? route.encodedSlashes
        case .doubleSlashes: route.doubleSlashes = choice(node, place) ?? route.doubleSlashes
        case .stripPrefix: route.stripsPrefix = isTrue(node, place)
        case .mapLocations: route.mapsLocations = isTrue(node, place)
        case .hostHeader: route.hostHeader = choice(node, place) ?? route.hostHeader
        case .healthCheck: takeHealthCheck(node)
        case .upgrades: route.upgrades = texts(node, place)
        }
    }
}

// MARK: - What is noted on the way

extension RouteReader {
    /// Notes where a value stands.
    mutating func note(_ node: Node, _ place: Place) { lines[place] = node.line }

    /// Notes that a value cannot be read.
    mutating func fail(_ node: Node, _ place: Place, _ text: String, remedy: String) {
        unreadable.insert(place.field)
        findings.append(
            Finding(line: node.line, message: "\(title), \(place.label): \(text)", remedy: remedy))
    }

    /// Notes a key that is not known there.
    mutating func failUnknown(_ keyNode: Node, in place: Place, known: [String]) {
        let key = keyNode.scalar?.string ?? ""
        fail(
            keyNode, place, "the key \(Self.quoted(key: key)) is unknown",
            remedy: Suggestion.remedy(for: key, among: known))
    }

    private mutating func report(_ line: Int, _ text: String, remedy: String) {
        findings.append(Finding(line: line, message: "\(title) \(text)", remedy: remedy))
    }

    private func message(at field: Field, _ text: String) -> String { "\(title), \(field.rawValue): \(text)" }

    /// A value in quotes, unless it may be a secret or is no text for one line.
    static func quoted(_ text: String) -> String {
        let isShort = text.utf8.count <= 100 && !text.contains(where: \.isNewline)
        return isShort && !Secret.isLikely(text) ? "'\(text)'" : "the value"
    }

    /// A key in quotes. `{Authorization:secret}` without the blank is one key, which must not be shown.
    private static func quoted(key: String) -> String {
        HTTPToken.isValid(key) && key.utf8.count <= 64 ? Secret.quoted(key) : "that stands there"
    }
}
