/// Percent-encoding of what is not a letter, a digit or one of `- . _ ~` (RFC 3986).
package enum PercentEncoding {
    /// For a form, where a space is a plus sign.
    package static func formText(_ text: String) -> String { encode(text, space: "+") }

    /// For a segment of a path.
    package static func pathSegment(_ text: String) -> String { encode(text, space: "%20") }

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
