/// A mailbox that mail comes from or goes to, such as `ops@example.com`. It has nothing in it that could end a command or a
/// header: ASCII only, without blanks, quotes and control characters.
package struct MailAddress: Sendable, Hashable, CustomStringConvertible {
    private static let maximumLocalBytes = 64
    private static let maximumDomainBytes = 255
    private static let maximumLabelBytes = 63

    /// The whole address.
    package let text: String

    /// What stands behind the `@`.
    package let domain: String

    /// Fails for what is no address. Quoted names and addresses of hosts (`"a b"@example.com`, `a@[192.0.2.1]`) are not
    /// taken.
    package init?(_ text: String) {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, Self.isLocal(parts[0]), Self.isDomain(parts[1]) else { return nil }
        self.text = text
        domain = String(parts[1])
    }

    package var description: String { text }

    private static func isLocal(_ local: Substring) -> Bool {
        local.utf8.count <= maximumLocalBytes
            && local.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { atom in
                !atom.isEmpty && atom.utf8.allSatisfy { isAlphanumeric($0) || "!#$%&'*+-/=?^_`{|}~".utf8.contains($0) }
            }
    }

    private static func isDomain(_ domain: Substring) -> Bool {
        domain.utf8.count <= maximumDomainBytes
            && domain.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                (1...maximumLabelBytes).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
                    && label.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
            }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }
}
