/// Percent-encoding of what is not a letter, a digit or one of `- . _ ~` (RFC 3986), and back.
package enum PercentEncoding {
    /// For a form, where a space is a plus sign.
    package static func formText(_ text: String) -> String { encode(text, space: "+") }

    /// For a segment of a path. Nil for what no encoding makes one: nothing, `.` and `..`, which lead to another path
    /// in their encoded form as well.
    package static func pathSegment(_ text: String) -> String? {
        ["", ".", ".."].contains(text) ? nil : component(text)
    }

    /// For anything else, such as the value of a cookie.
    package static func component(_ text: String) -> String { encode(text, space: "%20") }

    /// The text that was encoded. Nil when it was not, or is not UTF-8.
    ///
    /// - Parameter plusIsSpace: As in forms; in a path a plus is a plus.
    package static func decoded(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+") where plusIsSpace:
                bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                let digits = String(decoding: rest.prefix(2), as: UTF8.self)
                guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit), let value = UInt8(digits, radix: 16)
                else { return nil }
                bytes.append(value)
                rest = rest.dropFirst(2)
            default:
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func encode(_ text: String, space: String) -> String {
        text.utf8.reduce(into: "") { encoded, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: " "): encoded += space
            default: encoded += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
    }
}
