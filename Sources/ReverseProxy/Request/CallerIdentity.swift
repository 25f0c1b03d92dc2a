import HTTPWire

/// What the upstream is told about an authenticated caller. A client's own fields of these names never get through.
package struct CallerIdentity: Sendable, Hashable {
    package var user: String?
    package var platform: String?
    package var plan: String?
    package var keyID: String?

    package init(user: String? = nil, platform: String? = nil, plan: String? = nil, keyID: String? = nil) {
        self.user = user
        self.platform = platform
        self.plan = plan
        self.keyID = keyID
    }

    func write(to writer: inout FieldWriter) {
        if let user { writer.field("X-Tollgate-User", Self.safe(user)) }
        if let platform { writer.field("X-Tollgate-Platform", Self.safe(platform)) }
        if let plan { writer.field("X-Tollgate-Plan", Self.safe(plan)) }
        if let keyID { writer.field("X-Tollgate-Key-Id", Self.safe(keyID)) }
    }

    /// A value comes from a token or a store: one with a line break must not become a field of its own.
    private static func safe(_ value: String) -> String {
        if value.isFieldValue { return value }
        return String(decoding: value.utf8.map { $0.isFieldValueByte ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}
