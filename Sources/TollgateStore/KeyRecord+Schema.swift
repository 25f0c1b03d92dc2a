import TollgateCore

extension KeyRecord {
    /// The fields of the hash `key:{userId}:{keyId}`.
    ///
    /// - Parameter id: Stands in the name of the key.
    static func schema(of id: KeyID) -> HashSchema<KeyRecord> {
        HashSchema(
            KeyRecord.init(id:terms:status:createdAt:hash:lastUsedAt:previous:),
            HashRow(\.id, known: id),
            HashRow(\.terms, KeyTerms.schema),
            HashRow(\.status, "status", .rawValue),
            HashRow(\.createdAt, "createdAt", .anyMoment),
            HashRow(\.hash, "hash", .hash),
            HashRow(\.lastUsedAt, "lastUsedAt", .optional(.moment)),
            HashRow(\.previous, Previous.schema.optional))
    }

    /// The names of the fields, in the order in which they are written. They are those of every key.
    static let fieldNames: [String] = {
        let anyID = KeyID(bytes: [UInt8](repeating: 0, count: KeyID.byteCount))
        return anyID.map { schema(of: $0).names } ?? []
    }()
}

extension KeyTerms {
    fileprivate static let schema = HashSchema(
        KeyTerms.init(name:mode:scopes:expiresAt:allowedIPs:),
        HashRow(\.name, "name", .orElse("", .text)),
        HashRow(\.mode, "mode", .rawValue),
        HashRow(\.scopes, "scopes", .scopes),
        HashRow(\.expiresAt, "expiresAt", .end),
        HashRow(\.allowedIPs, "allowedIPs", .networks))
}

extension KeyRecord.Previous {
    fileprivate static let schema = HashSchema(
        KeyRecord.Previous.init(hash:until:lastUsedAt:),
        HashRow(\.hash, "previousHash", .hash),
        HashRow(\.until, "previousUntil", .orElse(.longAgo, .moment)),
        HashRow(\.lastUsedAt, "previousUsedAt", .optional(.moment)))
}

extension FieldCoding where Value == KeyHash {
    fileprivate static let hash = FieldCoding(write: { $0.hex }, read: { text in text.flatMap { KeyHash(hex: $0) } })
}

extension FieldCoding where Value == [KeyScope] {
    /// With spaces between them. What is no scope grants nothing.
    fileprivate static let scopes = FieldCoding(
        write: { $0.map(\.value).joined(separator: " ") },
        read: { text in (text ?? "").split(separator: " ").compactMap { KeyScope(String($0)) } })
}

extension KeyTerms {
    /// Of ``KeyDraft/maximumAllowedIPs`` ranges in IPv6, with a space between two.
    static let maximumAllowedIPsBytes = KeyDraft.maximumAllowedIPs * 66 - 1
}

extension FieldCoding where Value == NetworkList? {
    /// As ranges with spaces between them, which `admit.lua` compares as texts. In another form, or too long, they are no
    /// network at all.
    fileprivate static let networks = FieldCoding(
        write: { $0?.ranges.joined(separator: " ") },
        read: { text in
            .some(
                text.map { text in
                    guard text.utf8.count <= KeyTerms.maximumAllowedIPsBytes else { return .empty }
                    return NetworkList(
                        ranges: text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)) ?? .empty
                })
        })
}
