import JSONValue

extension JSON {
    /// Merges a patch into this value, as RFC 7396 says: objects member by member at any depth, null removes a member,
    /// everything else replaces what was there, arrays too.
    mutating func merge(_ patch: JSON) {
        guard let changes = patch.members else {
            self = patch
            return
        }
        var merged = JSON.object(members ?? [])
        for change in changes {
            if case .null = change.value {
                merged = .object((merged.members ?? []).filter { $0.name != change.name })
            } else {
                merged[change.name].merge(change.value)
            }
        }
        self = merged
    }
}
