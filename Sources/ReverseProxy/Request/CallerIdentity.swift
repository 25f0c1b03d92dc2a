import NIOHTTP1

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

    func add(to headers: inout HTTPHeaders) {
        if let user { headers.add(name: "X-Tollgate-User", value: Self.safe(user)) }
        if let platform { headers.add(name: "X-Tollgate-Platform", value: Self.safe(platform)) }
        if let plan { headers.add(name: "X-Tollgate-Plan", value: Self.safe(plan)) }
        if let keyID { headers.add(name: "X-Tollgate-Key-Id", value: Self.safe(keyID)) }
    }

    /// A value comes from a token or a store: one with a line break must not become a field of its own.
    private static func safe(_ value: String) -> String {
        guard !value.utf8.allSatisfy(\.mayStandInFieldValue) else { return value }
        return String(decoding: value.utf8.map { $0.mayStandInFieldValue ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}
