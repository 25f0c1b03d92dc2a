/// Does the same with all, at the same time.
///
/// - Returns: What became of each, in the order of `places`.
func each<Place: Sendable, Value: Sendable>(
    of places: [Place], _ look: @escaping @Sendable (Place) async -> Value
) async -> [Value] {
    await withTaskGroup(of: (Int, Value).self) { group in
        for (index, place) in places.enumerated() { group.addTask { (index, await look(place)) } }
        var values: [Int: Value] = [:]
        for await (index, value) in group { values[index] = value }
        return places.indices.compactMap { values[$0] }
    }
}

extension Result {
    /// Nil for a success.
    var failure: Failure? {
        if case .failure(let error) = self { error } else { nil }
    }
}
