import NIOHTTP1

/// What an operator wants changed in the head of a message, after all else has been done to it.
package struct HeaderRules: Sendable, Hashable {
    /// A field to be set.
    package struct Field: Sendable, Hashable {
        package let name: String
        package let value: String

        /// Nil when the name is no field name, the value has a control byte, or the name is one that frames or routes
        /// the message: those are the proxy's own.
        package init?(name: String, value: String) {
            guard HeaderRules.mayName(name), value.utf8.allSatisfy(\.mayStandInFieldValue) else { return nil }
            self.name = name
            self.value = value
        }
    }

    /// Names of fields to be removed, in any case.
    package let remove: [String]

    /// Fields that take the place of any of the same name.
    package let set: [Field]

    package init(remove: [String] = [], set: [Field] = []) {
        self.remove = remove.filter(Self.mayName)
        self.set = set
    }

    func apply(to headers: inout HTTPHeaders) {
        for name in remove { headers.remove(name: name) }
        for field in set { headers.replaceOrAdd(name: field.name, value: field.value) }
    }

    /// Whether a rule may touch the field called `name`.
    package static func mayName(_ name: String) -> Bool {
        guard !name.isEmpty, name.utf8.allSatisfy(\.mayStandInFieldName) else { return false }
        return switch FieldKind(name) {
        case .endToEnd, .forwarded: true
        default: false
        }
    }
}

extension UInt8 {
    /// RFC 9110, section 5.5: visible bytes, space and tab.
    var mayStandInFieldValue: Bool { (self >= 0x20 && self != 0x7f) || self == 0x09 }

    /// `tchar` of RFC 9110, section 5.6.2.
    fileprivate var mayStandInFieldName: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(self)
        }
    }
}
