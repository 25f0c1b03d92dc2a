import TollgateCore
import Yams

/// `tollgate.yaml`, read with the line of every value and of everything that is wrong with it.
struct YAMLFile {
    struct Value: Hashable {
        let text: String
        let line: Int
    }

    /// The file as the user calls it; it stands in every place.
    let name: String

    /// By the name of the setting.
    private(set) var values: [String: Value] = [:]

    /// Nil when the file has no `plans`, or wrong ones.
    private(set) var plans: PlanTable?

    /// `price_…` by the name of the plan that it sells.
    private(set) var prices: [String: [String]] = [:]

    /// What customers are told that a plan costs, by its name.
    private(set) var shownPrices: [String: PlanPrice] = [:]

    /// The line of `plans`.
    private(set) var plansLine: Int?

    /// Empty when the file has none, or wrong ones.
    private(set) var routes = RouteTable.empty

    /// The line of each route.
    private(set) var routeLines: [Int] = []

    private(set) var problems: [ConfigurationProblem] = []

    /// False when the text is no YAML: then nothing is known of what it was meant to set.
    private(set) var isReadable = true

    init(name: String, text: String) {
        self.name = name
        if YAMLExpansion.bytes(of: text) > YAMLExpansion.maximumBytes {
            isReadable = false
            report(
                line: 1, "the file's aliases stand for more than \(YAMLExpansion.maximumBytes >> 20) MB",
                remedy: "Let no anchor hold many aliases of others; the file was not read.")
            return
        }
        do {
            guard let root = try Yams.compose(yaml: text), !root.isNull else { return }
            guard let mapping = root.mapping else {
                report(line: root.line, "the file is not a mapping", remedy: "Write settings as `name: value`.")
                return
            }
            read(mapping, at: [])
        } catch {
            isReadable = false
            report(error, in: text)
        }
    }

    private mutating func read(_ mapping: Node.Mapping, at path: [String]) {
        for (keyNode, node) in mapping {
            let key = keyNode.scalar?.string ?? ""
            let keyPath = path + [key]
            if let setting = Self.settings[keyPath] {
                take(node, for: setting)
            } else if keyPath == ["plans"] {
                takePlans(node)
            } else if keyPath == ["routes"] {
                takeRoutes(node)
            } else if path.isEmpty, Self.groups.contains(key) {
                takeGroup(node, named: key)
            } else {
                report(
                    line: keyNode.line, "the key \(Secret.quoted(keyPath.joined(separator: "."))) is unknown",
                    remedy: Suggestion.remedy(for: keyPath.joined(separator: "."), among: Self.keys))
            }
        }
    }

    private mutating func takeGroup(_ node: Node, named name: String) {
        if node.isNull { return }
        guard let mapping = node.mapping else {
            let example = Self.keys.first { $0.hasPrefix(name + ".") }?.dropFirst(name.count + 1) ?? "name"
            report(
                line: node.line, "'\(name)' is not a mapping",
                remedy: "Write its settings below it, as `\(example): …`.")
            return
        }
        read(mapping, at: [name])
    }

    private mutating func take(_ node: Node, for setting: Setting) {
        if node.isNull { return }
        let path = setting.yamlPath?.joined(separator: ".") ?? setting.name
        if let scalar = node.scalar {
            values[setting.name] = Value(text: scalar.string, line: node.line)
        } else if setting.kind == .list, let sequence = node.sequence {
            let texts = sequence.compactMap { $0.scalar?.string }
            guard texts.count == sequence.count else {
                report(line: node.line, "'\(path)' is not a list of texts", remedy: "Write one text per item.")
                return
            }
            values[setting.name] = Value(text: texts.joined(separator: ","), line: node.line)
        } else {
            report(
                line: node.line, "'\(path)' is a \(node.mapping == nil ? "list" : "mapping")",
                remedy: "Write one value (\(setting.valuesText)).")
        }
    }

    private mutating func takePlans(_ node: Node) {
        var section = PlanSection(fileName: name)
        plans = section.read(node)
        prices = section.prices
        shownPrices = section.shownPrices
        plansLine = node.line
        problems += section.problems
    }

    private mutating func takeRoutes(_ node: Node) {
        var section = RouteSection(fileName: name)
        routes = section.read(node) ?? .empty
        routeLines = section.lines
        problems += section.problems
    }

    private mutating func report(line: Int, _ message: String, remedy: String) {
        problems.append(ConfigurationProblem(place: "\(name):\(line)", message: message, remedy: remedy))
    }
}

// MARK: - What Yams found

extension YAMLFile {
    /// Yams' own descriptions quote the line, which may hold a secret, so only its fixed phrases are taken over.
    private mutating func report(_ error: any Error, in text: String) {
        let remedy = "Correct the YAML; the rest of the file was not checked."
        switch error as? YamlError {
        case .duplicatedKeysInMapping(let keys, let context):
            for key in keys {
                // A value that follows its key without a blank is a part of it.
                let shown = HTTPToken.isValid(key) ? Secret.quoted(key) : "that stands there"
                report(
                    line: context.mark.line, "the key \(shown) stands twice in one mapping",
                    remedy: "Keep one of them; the rest of the file was not checked.")
            }
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            report(line: mark.line, "this is not YAML: \(problem)", remedy: remedy)
        case .reader(let problem, let offset, _, _):
            let line = text.prefix(offset ?? 0).count(where: \.isNewline) + 1
            report(line: line, "this is not YAML: \(problem)", remedy: remedy)
        default:
            report(line: 1, "this is not YAML", remedy: remedy)
        }
    }

    private static let settings = Dictionary(
        uniqueKeysWithValues: Setting.all.compactMap { setting in setting.yamlPath.map { ($0, setting) } })

    private static let groups = Set(settings.keys.filter { $0.count > 1 }.compactMap(\.first))

    /// Every key in the order of the documentation, for hints.
    private static let keys = Setting.all.compactMap { $0.yamlPath?.joined(separator: ".") } + ["plans", "routes"]
}

extension Node {
    /// 1 for a node without a place, which only one that was not read from a file is.
    var line: Int { mark?.line ?? 1 }

    /// Nothing was written, or `null`.
    var isNull: Bool { scalar != nil && tag.rawValue == Tag.Name.null.rawValue }
}
