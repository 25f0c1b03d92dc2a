extension JSONValue {
    /// Merges a patch into this value, as RFC 7396 says: objects member by member at any depth, null removes a member,
    /// everything else replaces what was there, arrays too.
    mutating func merge(_ patch: JSONValue) {
        guard let changes = patch.members else {
            self = patch
            return
        }
        var merged = members ?? [:]
        for (name, change) in changes {
            if change == .null {
                merged[name] = nil
            } else {
                merged[name, default: .null].merge(change)
            }
        }
        self = .object(merged)
    }
}
