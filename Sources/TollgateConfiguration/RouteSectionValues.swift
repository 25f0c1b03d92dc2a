import TollgateCore
import Yams

/// The forms that a route's values have. Each notes where the value stands and what is wrong with it.
extension RouteReader {
    mutating func text(_ node: Node, _ place: Place) -> String? {
        note(node, place)
        if let text = node.scalar?.string { return text }
        fail(node, place, "this is a \(node.mapping == nil ? "list" : "mapping")", remedy: "Write one text.")
        return nil
    }

    mutating func integer(_ node: Node, _ place: Place) -> Int? {
        guard let text = text(node, place) else { return nil }
        if let value = Int(text) { return value }
        fail(node, place, "\(Self.quoted(text)) is no whole number", remedy: "Give a whole number.")
        return nil
    }

    mutating func value(_ node: Node, _ place: Place, as measure: Measure) -> Int? {
        guard let text = text(node, place) else { return nil }
        if let value = measure.value(of: text) { return value }
        fail(
            node, place, "\(Self.quoted(text)) is no \(measure.name)", remedy: "Write it as \(measure.examples).")
        return nil
    }

    mutating func isTrue(_ node: Node, _ place: Place) -> Bool {
        guard let text = text(node, place) else { return false }
        if !["true", "false"].contains(text) {
            fail(node, place, "\(Self.quoted(text)) is neither true nor false", remedy: "Write true or false.")
        }
        return text == "true"
    }

    /// One of the words that a setting knows.
    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(_ node: Node, _ place: Place) -> Choice? {
        guard let text = text(node, place) else { return nil }
        if let choice = Choice(rawValue: text) { return choice }
        fail(
            node, place, "\(Self.quoted(text)) is unknown",
            remedy: Suggestion.remedy(for: text, among: Choice.allCases.map(\.rawValue)))
        return nil
    }

    /// One text, or a list of them.
    mutating func texts(_ node: Node, _ place: Place) -> [String] {
        items(node, place).map(\.text)
    }

    /// One text, or a list of them, each with its node.
    mutating func items(_ node: Node, _ place: Place) -> [(text: String, node: Node)] {
        note(node, place)
        let nodes = node.sequence.map(Array.init) ?? [node]
        return nodes.compactMap { node in
            guard let text = node.scalar?.string, !node.isNull else {
                fail(node, place, "this is not a text", remedy: "Write one text, or a list with one text per item.")
                return nil
            }
            note(node, Place(place.field, text))
            return (text, node)
        }
    }

    /// The parts of a mapping, without those that are not given.
    mutating func parts(_ node: Node, _ place: Place, known: [String]) -> [(key: String, node: Node)] {
        guard let mapping = node.mapping else {
            let example = known.map { $0 + ": …" }.joined(separator: ", ")
            fail(node, place, "this is not a mapping", remedy: "Write its keys below it: {\(example)}.")
            return []
        }
        var parts: [(key: String, node: Node)] = []
        for (keyNode, value) in mapping {
            guard let key = keyNode.scalar?.string, known.contains(key) else {
                failUnknown(keyNode, in: place, known: known)
                continue
            }
            if !value.isNull { parts.append((key, value)) }
        }
        return parts
    }
}
