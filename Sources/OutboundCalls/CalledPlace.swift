/// Where a call goes, as it may be told: scheme, host and port of a URL, without a login and without what is asked for
/// there, which may name customers.
package struct CalledPlace: Sendable, Hashable, CustomStringConvertible {
    package let description: String

    package init(_ url: String) {
        guard let scheme = url.firstRange(of: "://") else {
            description = "the address"
            return
        }
        let authority = url[scheme.upperBound...].prefix { !"/?#".contains($0) }
        let host = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        description = "\(url[..<scheme.upperBound])\(host)"
    }
}
