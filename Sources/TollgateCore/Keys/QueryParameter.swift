/// A parameter of queries that the gateway reads, and keeps from the upstream. Its name is compared as it is
/// written; the parameters before and behind it stay as they are.
package struct QueryParameter: Sendable, Hashable {
    package let name: String

    package init(name: String) { self.name = name }

    /// Its values in a request's target, in their order, with their escapes.
    package func values(in target: String) -> [Substring] {
        guard let query = Self.query(of: target) else { return [] }
        return query.split(separator: "&").compactMap { value(of: $0) }
    }

    /// The target without it; without the `?` as well when nothing else stood in the query.
    package func removed(from target: String) -> String {
        guard let query = Self.query(of: target) else { return target }
        let parts = query.split(separator: "&", omittingEmptySubsequences: false)
        let others = parts.filter { value(of: $0) == nil }
        guard others.count < parts.count else { return target }
        let path = target[..<query.startIndex]
        return others.isEmpty ? String(path.dropLast()) : path + others.joined(separator: "&")
    }

    /// Nil when `part` is another parameter.
    private func value(of part: Substring) -> Substring? {
        guard part.utf8.starts(with: name.utf8) else { return nil }
        let rest = part.dropFirst(name.utf8.count)
        if rest.isEmpty { return rest }
        return rest.utf8.first == UInt8(ascii: "=") ? rest.dropFirst() : nil
    }

    private static func query(of target: String) -> Substring? {
        guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return nil }
        return target[target.utf8.index(after: mark)...]
    }
}
